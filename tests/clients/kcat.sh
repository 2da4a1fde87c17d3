#!/usr/bin/env bash
# kcat (librdkafka in C) against a broker: metadata, produce, consume, offsets, headers, keys, compression, restart.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)" broker="$work/broker"
bootstrap="127.0.0.1:$port"
broker_start "$test_broker" "$broker" "$port" || exit 1
kcat() { command kcat -b "$bootstrap" -m 120 "$@"; }

metadata_names_the_broker() {
  local metadata
  metadata="$(kcat -L)"
  expect_contains metadata "at $bootstrap (controller)" "$metadata"
  expect_contains metadata "1 brokers:" "$metadata"
}

produces_and_consumes() {
  printf 'one\ntwo\nthree\n' | kcat -P -t simple -p 0
  expect_equal records $'one\ntwo\nthree' "$(kcat -C -t simple -p 0 -o beginning -e -q)"
}

auto_created_topic_has_metadata() {
  printf 'x\n' | kcat -P -t created-by-producing
  expect_contains metadata 'topic "created-by-producing" with 1 partitions' "$(kcat -L -t created-by-producing)"
}

starts_at_every_kind_of_offset() {
  seq 0 99 | kcat -P -t offsets -p 0
  expect_equal from-40 "$(seq 40 99)" "$(kcat -C -t offsets -p 0 -o 40 -e -q)"
  expect_equal last-three "$(seq 97 99)" "$(kcat -C -t offsets -p 0 -o -3 -e -q)"
  expect_equal count-of-two "$(seq 10 11)" "$(kcat -C -t offsets -p 0 -o 10 -c 2 -q)"
  expect_equal end "" "$(kcat -C -t offsets -p 0 -o end -e -q)"
  expect_equal queried-end "offsets [0] offset 100" "$(kcat -Q -t offsets:0:-1)"
  expect_equal queried-beginning "offsets [0] offset 0" "$(kcat -Q -t offsets:0:-2)"
}

starts_at_a_timestamp() {
  printf 'early\n' | kcat -P -t timestamps -p 0
  sleep 0.05
  local between
  between="$(date +%s%3N)"
  sleep 0.05
  printf 'late\n' | kcat -P -t timestamps -p 0
  expect_equal query "timestamps [0] offset 1" "$(kcat -Q -t "timestamps:0:$between")"
  expect_equal from-then late "$(kcat -C -t timestamps -p 0 -o "s@$between" -e -q)"
}

keeps_keys_nulls_and_repeated_headers() {
  printf 'k1:v1\nk2:\n' | kcat -P -t keyed -p 0 -K : -Z -H a=1 -H a=2 -H b=3
  expect_equal records $'k1|2|v1|a=1,a=2,b=3\nk2|-1||a=1,a=2,b=3' "$(kcat -C -t keyed -p 0 -o beginning -e -q -f '%k|%S|%s|%h\n')"
}

codec() {
  seq -f "a line of the $1 topic that repeats itself, number %.0f" 1 20000 > "$work/$1.txt"
  kcat -P -t "codec-$1" -p 0 -z "$1" -l "$work/$1.txt"
  kcat -C -t "codec-$1" -p 0 -o beginning -e -q | cmp - "$work/$1.txt"
}

acknowledgements() {
  printf 'fire and forget\n' | kcat -P -t "acks-$1" -p 0 -X acks="$1"
  expect_equal record 'fire and forget' "$(kcat -C -t "acks-$1" -p 0 -o beginning -c 1 -q)"
}

idempotent_producer_keeps_order() {
  seq 1 50000 | kcat -P -t idempotent -p 0 -X enable.idempotence=true -X batch.num.messages=100
  kcat -C -t idempotent -p 0 -o beginning -e -q | cmp - <(seq 1 50000)
}

large_record() {
  head -c 900000 /dev/zero | tr '\0' x > "$work/large"
  kcat -P -t large -p 0 "$work/large"
  kcat -C -t large -p 0 -o beginning -c 1 -e -q -D '' | cmp - "$work/large"
}

too_large_record_is_refused() {
  head -c 2000000 /dev/urandom > "$work/too-large"
  ! kcat -P -t too-large -p 0 -X message.max.bytes=3000000 "$work/too-large" 2> "$work/error" || return 1
  expect_contains error "Message size too large" "$(cat "$work/error")"
}

unknown_partition_is_refused() {
  ! printf 'x\n' | kcat -P -t simple -p 7 2> "$work/error" || return 1
  expect_contains error "Unknown partition" "$(cat "$work/error")"
}

many_partitions_by_key() {
  kafka_tool kafka-topics --bootstrap-server "$bootstrap" --create --topic spread --partitions 8
  seq 1 4000 | sed 's/.*/&:value &/' | kcat -P -t spread -K :
  local partition seen=0 all="$work/spread"
  : > "$all"
  for partition in 0 1 2 3 4 5 6 7; do
    kcat -C -t spread -p "$partition" -o beginning -e -q -f '%k\n' > "$work/part"
    sort -nc "$work/part"
    [ ! -s "$work/part" ] || seen=$((seen + 1))
    cat "$work/part" >> "$all"
  done
  sort -n "$all" | cmp - <(seq 1 4000)
  expect_equal partitions-used 8 "$seen"
}

consumer_waits_for_what_comes_later() {
  printf 'first\n' | kcat -P -t later -p 0
  kcat -C -t later -p 0 -o beginning -c 2 -q > "$work/later" &
  local consumer=$!
  sleep 1
  printf 'second\n' | kcat -P -t later -p 0
  wait "$consumer"
  expect_equal records $'first\nsecond' "$(cat "$work/later")"
}

reads_after_a_restart() {
  kcat -C -t restart -p 0 -o beginning -e -q | cmp - <(seq 1 "$1")
  kcat -C -t codec-zstd -p 0 -o beginning -e -q | cmp - "$work/zstd.txt"
}
adds_after_a_restart() { seq 1001 2000 | kcat -P -t restart -p 0; }

test_case "metadata names the broker" metadata_names_the_broker
test_case "produces and consumes" produces_and_consumes
test_case "an auto-created topic has metadata" auto_created_topic_has_metadata
test_case "starts at every kind of offset" starts_at_every_kind_of_offset
test_case "starts at a timestamp" starts_at_a_timestamp
test_case "keeps keys, nulls and repeated headers" keeps_keys_nulls_and_repeated_headers
for name in gzip snappy lz4 zstd; do test_case "codec $name" codec "$name"; done
for acks in 0 1 all; do test_case "acks=$acks" acknowledgements "$acks"; done
test_case "an idempotent producer keeps its order" idempotent_producer_keeps_order
test_case "a large record" large_record
test_case "a record above max.message.bytes is refused" too_large_record_is_refused
test_case "an unknown partition is refused" unknown_partition_is_refused
test_case "eight partitions by key, each in order" many_partitions_by_key
test_case "a consumer waits for what comes later" consumer_waits_for_what_comes_later

seq 1 1000 | kcat -P -t restart -p 0
broker_stop "$broker"
stopped=$?
# A JVM that ends by SIGTERM says 143.
test_case "SIGTERM stops the broker with its exit code" expect_equal exit-code "$([ "$test_broker" = kafka ] && echo 143 || echo 0)" "$stopped"
broker_start "$test_broker" "$broker" "$port" || exit 1
test_case "everything is there after a clean restart" reads_after_a_restart 1000
test_case "more is added after a restart" adds_after_a_restart
broker_kill "$broker"
broker_start "$test_broker" "$broker" "$port" || exit 1
test_case "everything is there after kill -9" reads_after_a_restart 2000
finish
