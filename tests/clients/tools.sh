#!/usr/bin/env bash
# Apache Kafka's stock command-line tools against a broker, and kafka-dump-log on its files after a stop.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)" broker="$work/broker"
bootstrap="127.0.0.1:$port"
broker_start "$test_broker" "$broker" "$port" || exit 1

# tool NAME ARG...: with the bootstrap server given.
tool() {
  local name="$1"
  shift
  kafka_tool "$name" --bootstrap-server "$bootstrap" "$@"
}
create() { tool kafka-topics --create --topic "$@"; }
# refused TEXT COMMAND...: must fail or complain, saying TEXT.
refused() {
  local text="$1" output
  shift
  output="$("$@" 2>&1)" || true
  expect_contains "output of $*" "$text" "$output"
}

topics_are_created_listed_and_described() {
  expect_contains created "Created topic orders." "$(create orders --partitions 3 --replication-factor 1 --config retention.ms=3600000)"
  expect_contains list orders "$(tool kafka-topics --list)"
  local described
  described="$(tool kafka-topics --describe --topic orders)"
  expect_contains described "PartitionCount: 3" "$described"
  expect_contains described "ReplicationFactor: 1" "$described"
  expect_contains described "retention.ms=3600000" "$described"
  expect_contains described "Partition: 2" "$described"
  refused "already exists" create orders
  tool kafka-topics --create --topic orders --if-not-exists
}

topics_with_bad_input_are_refused() {
  refused "is invalid" create 'bad name!'
  refused "greater than 0" create none --partitions 0
  refused "replication factor" create many --replication-factor 3
  refused "Unknown topic config name" create unknown-config --config no.such.config=1
  refused "Invalid value" create bad-config --config retention.ms=soon
  refused "does not exist as expected" tool kafka-topics --describe --topic absent
}

partitions_are_added() {
  create grows --partitions 1
  tool kafka-topics --alter --topic grows --partitions 4
  expect_contains described "PartitionCount: 4" "$(tool kafka-topics --describe --topic grows)"
  refused "would not be an increase" tool kafka-topics --alter --topic grows --partitions 2
  refused "already has 4 partition" tool kafka-topics --alter --topic grows --partitions 4
}

topics_are_deleted() {
  create short-lived
  seq 1 100 | tool kafka-console-producer --topic short-lived
  tool kafka-topics --delete --topic short-lived
  sleep 0.5
  case "$(tool kafka-topics --list)" in *short-lived*) echo "still listed"; return 1 ;; esac
  create short-lived
  expect_equal "end of the new one" "short-lived:0:0" "$(tool kafka-get-offsets --topic short-lived --time -1)"
}

topic_configs_are_altered() {
  create configured
  tool kafka-configs --alter --entity-type topics --entity-name configured --add-config 'retention.ms=7200000,cleanup.policy=[compact,delete]'
  local described
  described="$(tool kafka-configs --describe --entity-type topics --entity-name configured)"
  expect_contains described "retention.ms=7200000" "$described"
  expect_contains described "cleanup.policy=compact,delete" "$described"
  tool kafka-configs --alter --entity-type topics --entity-name configured --delete-config retention.ms
  described="$(tool kafka-configs --describe --entity-type topics --entity-name configured)"
  case "$described" in *retention.ms=*) echo "retention.ms is still there: $described"; return 1 ;; esac
  expect_contains all "segment.bytes=1073741824" "$(tool kafka-configs --describe --all --entity-type topics --entity-name configured)"
  refused "Invalid value" tool kafka-configs --alter --entity-type topics --entity-name configured --add-config retention.ms=soon
  refused "Unknown topic config name" tool kafka-configs --alter --entity-type topics --entity-name configured --add-config no.such.config=1
}

broker_configs_are_described() {
  local described
  described="$(tool kafka-configs --describe --all --entity-type brokers --entity-name 1)"
  expect_contains described "message.max.bytes=1048588" "$described"
  expect_contains described "log.dirs=" "$described"
}

broker_configs_are_altered() {
  tool kafka-configs --alter --entity-type brokers --entity-name 1 --add-config log.retention.ms=86400000
  expect_contains described "log.retention.ms=86400000" "$(tool kafka-configs --describe --entity-type brokers --entity-name 1)"
  tool kafka-configs --alter --entity-type brokers --entity-name 1 --delete-config log.retention.ms
  refused "update" tool kafka-configs --alter --entity-type brokers --entity-name 1 --add-config process.roles=controller
}

console_producer_to_console_consumer() {
  create console
  seq -f 'line %.0f' 1 5000 | tool kafka-console-producer --topic console
  tool kafka-console-consumer --topic console --partition 0 --offset earliest --max-messages 5000 | cmp - <(seq -f 'line %.0f' 1 5000)
  expect_equal "from offset 4998" $'line 4999\nline 5000' "$(tool kafka-console-consumer --topic console --partition 0 --offset 4998 --max-messages 2)"
}

console_keys_and_headers() {
  create console-keys
  printf 'h1:a,h2:b\tkey1|value1\n' | tool kafka-console-producer --topic console-keys --compression-codec zstd \
    --reader-property parse.key=true --reader-property key.separator='|' --reader-property parse.headers=true
  expect_equal record 'h1:a,h2:b|key1|value1' "$(tool kafka-console-consumer --topic console-keys --partition 0 --offset earliest --max-messages 1 \
    --formatter-property print.headers=true --formatter-property print.key=true --formatter-property key.separator='|' \
    --formatter-property headers.separator=',')"
}

producer_perf_test() {
  local report
  tool kafka-topics --create --if-not-exists --topic perf --partitions 2
  report="$(kafka_tool kafka-producer-perf-test --topic perf --num-records 50000 --record-size 200 --throughput -1 \
    --producer-props "bootstrap.servers=$bootstrap" compression.type="$1" 2>&1)"
  echo "$report"
  expect_contains report "50000 records sent" "$report"
}

offsets_are_listed() {
  expect_equal beginning "console:0:0" "$(tool kafka-get-offsets --topic console --time earliest)"
  expect_equal end "console:0:5000" "$(tool kafka-get-offsets --topic console --time latest)"
  expect_equal max-timestamp "console:0:4999" "$(tool kafka-get-offsets --topic console --time max-timestamp | sed 's/:4[0-9]*$/:4999/')"
  expect_equal "total of perf" "$1" "$(tool kafka-get-offsets --topic perf | awk -F: '{ sum += $3 } END { print sum }')"
}

log_dirs_are_described() {
  local described
  described="$(tool kafka-log-dirs --describe --topic-list console | tail -n 1)"
  expect_contains described '"partition":"console-0"' "$described"
  expect_contains described "$broker/data" "$described"
  case "$described" in *'"size":0,'*) echo "size 0: $described"; return 1 ;; esac
}

records_are_deleted() {
  create trimmed
  seq -f 'line %.0f' 1 100 | tool kafka-console-producer --topic trimmed
  printf '{"partitions": [{"topic": "trimmed", "partition": 0, "offset": 40}], "version": 1}' > "$work/deletion.json"
  expect_contains deleted "partition: trimmed-0	low_watermark: 40" "$(tool kafka-delete-records --offset-json-file "$work/deletion.json")"
  expect_equal beginning "trimmed:0:40" "$(tool kafka-get-offsets --topic trimmed --time earliest)"
  expect_equal first "line 41" "$(tool kafka-console-consumer --topic trimmed --partition 0 --offset earliest --max-messages 1)"
  printf '{"partitions": [{"topic": "trimmed", "partition": 0, "offset": 101}], "version": 1}' > "$work/deletion.json"
  refused "OffsetOutOfRange" tool kafka-delete-records --offset-json-file "$work/deletion.json"
  create trimmed-compacted --config cleanup.policy=compact
  printf '{"partitions": [{"topic": "trimmed-compacted", "partition": 0, "offset": -1}], "version": 1}' > "$work/deletion.json"
  refused "PolicyViolation" tool kafka-delete-records --offset-json-file "$work/deletion.json"
}

broker_api_versions() {
  local versions
  versions="$(tool kafka-broker-api-versions)"
  expect_contains versions "$bootstrap (id: 1" "$versions"
  expect_contains versions "Produce(0): " "$versions"
  case "$versions" in *"Fetch(1): UNSUPPORTED"*) echo "$versions"; return 1 ;; esac
}

# Every segment of a topic, as kafka-dump-log reads it: payloads in order, offsets dense, no complaint about log or index.
dump_of() {
  local segment
  for segment in "$broker/data/$1"-[0-9]*/*.log; do
    kafka_tool kafka-dump-log --deep-iteration --print-data-log --files "$segment" 2>&1
  done
}
dump_log_reads_the_segments() {
  dump_of console > "$work/dump"
  sed -n 's/.* payload: //p' "$work/dump" | cmp - <(seq -f 'line %.0f' 1 5000)
  sed -n 's/^| offset: \([0-9]*\) .*/\1/p' "$work/dump" | cmp - <(seq 0 4999)
  ! grep -iE 'isvalid: false|exception|mismatch|corrupt' "$work/dump"
}
dump_log_reads_small_segments() {
  dump_of rolled > "$work/dump"
  ls -l "$broker/data/rolled-0"
  [ "$(ls "$broker/data/rolled-0/"*.log | wc -l)" -gt 2 ]
  sed -n 's/^| offset: \([0-9]*\) .*/\1/p' "$work/dump" | cmp - <(seq 0 29999)
  ! grep -iE 'isvalid: false|exception|mismatch|corrupt' "$work/dump"
}
dump_log_checks_the_indexes() {
  local index output
  for index in "$broker"/data/rolled-0/*.index "$broker"/data/rolled-0/*.timeindex "$broker"/data/console-0/*.index "$broker"/data/console-0/*.timeindex; do
    output="$(kafka_tool kafka-dump-log --index-sanity-check --files "$index" 2>&1)"
    echo "$output"
    case "$output" in *"passed sanity check"*) ;; *) return 1 ;; esac
  done
  # Without the sanity option the tool also looks up each entry in the log, and names what does not fit.
  for index in "$broker"/data/rolled-0/*index; do
    output="$(kafka_tool kafka-dump-log --verify-index-only --files "$index" 2>&1)"
    ! echo "$output" | grep -iE 'mismatch|not found|exception|out of order|not match'
  done
}
groups_are_listed_described_reset_and_deleted() {
  create grouped --partitions 2
  seq 1 50 | tool kafka-console-producer --topic grouped
  expect_equal "records read" 50 "$(tool kafka-console-consumer --topic grouped --group tools --from-beginning --max-messages 50 \
    --command-property group.protocol=classic --timeout-ms 240000 2> /dev/null | wc -l)"
  expect_contains list tools "$(tool kafka-consumer-groups --list)"
  expect_contains groups "tools" "$(tool kafka-groups --list)"
  local described
  described="$(tool kafka-consumer-groups --describe --group tools)"
  expect_equal "committed" 50 "$(echo "$described" | awk '$2 == "grouped" { sum += $4 } END { print sum }')"
  expect_equal "lag" 0 "$(echo "$described" | awk '$2 == "grouped" { sum += $6 } END { print sum }')"
  expect_contains state Empty "$(tool kafka-consumer-groups --describe --group tools --state)"
  tool kafka-consumer-groups --group tools --topic grouped --reset-offsets --to-earliest --execute
  described="$(tool kafka-consumer-groups --describe --group tools)"
  expect_equal "lag after the reset" 50 "$(echo "$described" | awk '$2 == "grouped" { sum += $6 } END { print sum }')"
  tool kafka-consumer-groups --group tools --topic grouped --delete-offsets
  expect_contains deleted "successful" "$(tool kafka-consumer-groups --delete --group tools)"
  refused "not found" tool kafka-consumer-groups --describe --group tools
}
transactions_are_listed_and_described() {
  create bill
  kafka_tool kafka-producer-perf-test --topic bill --throughput -1 --num-records 500 --record-size 100 \
    --producer-props "bootstrap.servers=$bootstrap" --transactional-id tools --transaction-duration-ms 50
  expect_contains list tools "$(tool kafka-transactions list)"
  # Its markers may still be on their way: prepared or complete.
  expect_contains described Commit "$(tool kafka-transactions describe --transactional-id tools)"
  # The header, and one producer that has no transaction open.
  local producers
  producers="$(tool kafka-transactions describe-producers --topic bill --partition 0)"
  expect_equal "lines of producers" 2 "$(echo "$producers" | grep -c .)"
  expect_contains producers None "$producers"
  expect_equal "lines of hanging transactions" 1 "$(tool kafka-transactions find-hanging --topic bill | grep -c .)"
}
features_are_listed_and_changed() {
  local listed
  listed="$(tool kafka-features describe)"
  expect_contains features metadata.version "$listed"
  expect_contains downgraded "downgraded to 1" "$(tool kafka-features downgrade --feature transaction.version=1)"
  expect_contains level "FinalizedVersionLevel: 1" "$(tool kafka-features describe | grep transaction.version)"
  expect_contains upgraded "upgraded to 2" "$(tool kafka-features upgrade --feature transaction.version=2)"
  refused "Could not upgrade" tool kafka-features upgrade --feature transaction.version=9
}
# A consumer by the consumer protocol that waits for one record more than there are, and what the tools say of its group meanwhile.
consumer_groups_are_listed_described_and_deleted() {
  create shared --partitions 2
  seq 1 50 | tool kafka-console-producer --topic shared
  tool kafka-console-consumer --topic shared --group tools-shared --from-beginning --max-messages 51 \
    --command-property group.protocol=consumer --timeout-ms 240000 > "$work/shared" 2> /dev/null &
  local member=$! tries=0 described
  until [ "$(wc -l < "$work/shared")" -ge 50 ]; do
    [ $((tries += 1)) -lt 1000 ] || { echo "no records"; return 1; }
    sleep 0.2
  done
  expect_contains groups "Consumer" "$(tool kafka-groups --list | grep tools-shared)"
  expect_contains list "tools-shared" "$(tool kafka-consumer-groups --list --type consumer)"
  described="$(tool kafka-consumer-groups --describe --group tools-shared --state | grep tools-shared)"
  expect_contains state "uniform" "$described"
  expect_contains state "Stable" "$described"
  expect_equal "its partitions" 2 "$(tool kafka-consumer-groups --describe --group tools-shared --members | awk '$1 == "tools-shared" { print $5 }')"
  described="$(tool kafka-consumer-groups --describe --group tools-shared --members --verbose | grep tools-shared)"
  expect_contains members "shared:0" "$described"
  refused "not empty" tool kafka-consumer-groups --delete --group tools-shared
  echo 51 | tool kafka-console-producer --topic shared
  wait "$member"
  expect_equal "committed" 51 "$(tool kafka-consumer-groups --describe --group tools-shared 2> /dev/null | awk '$2 == "shared" { sum += $4 } END { print sum }')"
  expect_contains deleted "successful" "$(tool kafka-consumer-groups --delete --group tools-shared)"
  refused "not found" tool kafka-consumer-groups --describe --group tools-shared
}
rolled_topic() {
  create rolled --config segment.bytes=1048576
  kafka_tool kafka-producer-perf-test --topic rolled --num-records 30000 --record-size 150 --throughput -1 \
    --producer-props "bootstrap.servers=$bootstrap"
}

test_case "topics are created, listed and described" topics_are_created_listed_and_described
test_case "topics with bad input are refused" topics_with_bad_input_are_refused
test_case "partitions are added" partitions_are_added
test_case "topics are deleted and created anew, empty" topics_are_deleted
test_case "topic configs are altered" topic_configs_are_altered
test_case "broker configs are described" broker_configs_are_described
test_case "broker configs are altered" broker_configs_are_altered
test_case "console producer to console consumer" console_producer_to_console_consumer
test_case "console tools with keys and headers" console_keys_and_headers
for codec in none gzip snappy lz4 zstd; do test_case "producer-perf-test with codec $codec" producer_perf_test "$codec"; done
test_case "get-offsets" offsets_are_listed 250000
test_case "log-dirs" log_dirs_are_described
test_case "delete-records" records_are_deleted
test_case "broker-api-versions" broker_api_versions
test_case "consumer-groups and groups" groups_are_listed_described_reset_and_deleted
test_case "consumer-groups and groups of the consumer protocol" consumer_groups_are_listed_described_and_deleted
test_case "kafka-transactions" transactions_are_listed_and_described
test_case "kafka-features" features_are_listed_and_changed
test_case "a topic of small segments" rolled_topic
broker_stop "$broker"
test_case "dump-log reads the segments after a stop" dump_log_reads_the_segments
test_case "dump-log reads rolled segments" dump_log_reads_small_segments
test_case "dump-log accepts the indexes" dump_log_checks_the_indexes
finish
