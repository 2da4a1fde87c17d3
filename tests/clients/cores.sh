#!/usr/bin/env bash
# Cores as brokers (ringmill.core.endpoints) under kcat and Apache Kafka's tools: each core is a broker to them, they find the owner of a
# partition by themselves, and follow it when it moves.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)" cores="$port" broker="$work/broker"
while [ "$cores" = "$port" ]; do cores="$(free_port)"; done
bootstrap="127.0.0.1:$port"
broker_start ringmill "$broker" "$port" "ringmill.core.endpoints=$cores-$((cores + 1))" || exit 1
kcat() { command kcat -b "$bootstrap" -m 120 "$@"; }
tool() {
  local name="$1"
  shift
  kafka_tool "$name" --bootstrap-server "$bootstrap" "$@"
}

# admin METHOD TARGET: what the admin listener answers.
admin() {
  exec 3<> "/dev/tcp/127.0.0.1/$((port + 1))"
  printf '%s %s HTTP/1.1\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3>&-
}
# hops PRODUCE|FETCH: requests that went on from one core to another so far.
hops() { admin GET /metrics | tr -d '\r' | awk -v name="ringmill_mesh_$1_total{" 'index($0, name) == 1 { sum += $2 } END { print sum + 0 }'; }
# no_hops COMMAND...: it must ask only the owners of partitions.
no_hops() {
  local before after
  before="$(hops produce) $(hops fetch)"
  "$@"
  after="$(hops produce) $(hops fetch)"
  expect_equal "hops after $*" "$before" "$after"
}

metadata_names_every_core() {
  local metadata
  metadata="$(kcat -L)"
  expect_contains metadata "2 brokers:" "$metadata"
  expect_contains metadata "broker 1 at 127.0.0.1:$cores (controller)" "$metadata"
  expect_contains metadata "broker 1000001 at 127.0.0.1:$((cores + 1))" "$metadata"
}

topics_are_led_by_cores() {
  tool kafka-topics --create --topic spread --partitions 4
  local described
  described="$(tool kafka-topics --describe --topic spread)"
  expect_contains described "ReplicationFactor: 1" "$described"
  expect_equal "partitions of core 0" 2 "$(grep -cE $'Leader: 1\tReplicas: 1\tIsr: 1\t' <<< "$described")"
  expect_equal "partitions of core 1" 2 "$(grep -cE $'Leader: 1000001\tReplicas: 1000001\tIsr: 1000001\t' <<< "$described")"
  expect_contains refused "only 1 broker(s) are registered" "$(tool kafka-topics --create --topic two --replication-factor 2 2>&1)"
}

kcat_finds_the_owners() {
  local partition
  for partition in 0 1 2 3; do seq 1 500 | kcat -P -t spread -p "$partition"; done
  for partition in 0 1 2 3; do kcat -C -t spread -p "$partition" -o beginning -e -q | cmp - <(seq 1 500); done
}

java_finds_the_owners() {
  tool kafka-topics --create --topic console --partitions 2
  seq -f 'line %.0f' 1 2000 | tool kafka-console-producer --topic console
  local partition end
  tool kafka-get-offsets --topic console --time latest | while IFS=: read -r _ partition end; do
    [ "$end" -eq 0 ] || tool kafka-console-consumer --topic console --partition "$partition" --offset earliest --max-messages "$end" < /dev/null
  done | sort | cmp - <(seq -f 'line %.0f' 1 2000 | sort)
}

java_follows_partitions_that_move() {
  tool kafka-topics --create --topic moving --partitions 4
  kafka_tool kafka-producer-perf-test --topic moving --num-records 40000 --record-size 100 --throughput 8000 \
    --producer-props "bootstrap.servers=$bootstrap" metadata.max.age.ms=200 batch.size=1000 > "$work/report" 2>&1 &
  local producer=$! moved=0 n=0
  while kill -0 "$producer" 2> /dev/null; do
    case "$(admin POST "/partitions/move?topic=moving&partition=$((n % 4))&shard=$((n / 4 % 2))")" in "HTTP/1.1 200"*) moved=$((moved + 1)) ;; esac
    n=$((n + 1))
    sleep 0.05
  done
  wait "$producer"
  cat "$work/report"
  expect_contains report "40000 records sent" "$(cat "$work/report")"
  ! grep -iE 'exception|error' "$work/report"
  [ "$moved" -gt 4 ]
  expect_equal "records, each once" 40000 "$(tool kafka-get-offsets --topic moving --time latest | awk -F: '{ sum += $3 } END { print sum }')"
}

a_core_names_its_machine() {
  tool kafka-configs --alter --entity-type brokers --entity-name 1000001 --add-config log.retention.ms=86400000
  expect_contains described "log.retention.ms=86400000" "$(tool kafka-configs --describe --entity-type brokers --entity-name 1)"
  expect_contains versions "127.0.0.1:$((cores + 1)) (id: 1000001" "$(tool kafka-broker-api-versions)"
  local described
  described="$(tool kafka-log-dirs --describe --topic-list spread | tail -n 1)"
  expect_equal "each partition once" $'"spread-0"\n"spread-1"\n"spread-2"\n"spread-3"' "$(grep -o '"spread-[0-9]"' <<< "$described" | sort)"
}

test_case "metadata names every core" metadata_names_every_core
test_case "topics are led by cores, and have a machine's replicas" topics_are_led_by_cores
test_case "kcat finds the owners of partitions" no_hops kcat_finds_the_owners
test_case "Java clients find the owners of partitions" no_hops java_finds_the_owners
test_case "a Java producer follows partitions that move" java_follows_partitions_that_move
test_case "a core's id names its machine" a_core_names_its_machine
finish
