#!/usr/bin/env bash
# A data directory between Apache Kafka and Ringmill: in, written to, out, written to, in again. What a Java client can see of topics,
# configurations, offsets and records, read uncommitted and committed, must be the same before and after each step.
. "$(dirname "$0")/../stage.sh"
kafka="$work/kafka" data="$work/kafka/data" ringmill_dir="$work/ringmill"
kafka_port="$(free_port)" ringmill_port="$(free_port)" oracle_port="$(free_port)"
kafka_config=(offsets.topic.num.partitions=2 transaction.state.log.num.partitions=2 log.cleaner.backoff.ms=200 log.initial.task.delay.ms=100)

kafka_up() { broker_start kafka "$kafka" "$kafka_port" "${kafka_config[@]}"; }
ringmill_up() { broker_start ringmill "$ringmill_dir" "$ringmill_port" "log.dirs=$data" "log.cleaner.enable=false" "$@"; }
at_kafka() { local class="$1"; shift; kafka_java "$class" "127.0.0.1:$kafka_port" "$@"; }
at_ringmill() { local class="$1"; shift; kafka_java "$class" "127.0.0.1:$ringmill_port" "$@"; }
same() { cmp "$1" "$2" || { diff "$1" "$2" | head -20; return 1; }; [ -s "$1" ]; }
sums() { (cd "$data" && find __cluster_metadata-0 __consumer_offsets-* __transaction_state-* meta.properties -type f | sort | xargs sha256sum); }

kafka_writes() {
  at_kafka DirectoryWriter everything
  at_kafka DirectoryDump "$work/kafka.1"
  # The dump is of something: an aborted record that only read_uncommitted shows, an open transaction, a trimmed start, a compacted gap.
  grep -q 'read_uncommitted trimmed-0 from 1234 to 3000' "$work/kafka.1"
  grep -q "committed by readers: codecs-0 at 42 'here'" "$work/kafka.1"
  grep -q "configs BROKER '' .*log.retention.ms=691200000" "$work/kafka.1"
  grep -q "configs GROUP 'workers' .*consumer.session.timeout.ms=50000" "$work/kafka.1"
  local all committed
  all="$(sed -n '/^read_uncommitted transactions-0/,/^read_uncommitted transactions-1/p' "$work/kafka.1" | wc -l)"
  committed="$(sed -n '/^read_committed transactions-0/,/^read_committed transactions-1/p' "$work/kafka.1" | wc -l)"
  echo "transactions-0: $all lines uncommitted, $committed committed"
  [ "$all" -gt $((committed + 30)) ] && [ "$committed" -gt 30 ]
}
ringmill_shows_the_same() {
  at_ringmill DirectoryDump "$work/ringmill.1"
  grep "taking over Apache Kafka's data" "$ringmill_dir/log"
  same "$work/kafka.1" "$work/ringmill.1"
}
ringmill_writes() {
  at_ringmill DirectoryWriter more born-here
  at_ringmill DirectoryDump "$work/ringmill.2"
  grep -q '^read_uncommitted born-here-1 from 0 to 150' "$work/ringmill.2"
}
kafkas_own_is_untouched() { sums | diff "$work/sums" -; }
given_back() {
  "$ringmill" storage to-kafka "$data"
  ls -la "$data"
  ! ls "$data"/ringmill-* 2> /dev/null
}
dump_log_is_content() {
  local logs
  logs="$(find "$data" -name '*.log' -size +0 -not -path '*__*' | sort | paste -sd,)"
  kafka_tool kafka-dump-log --deep-iteration --files "$logs" > "$work/dump-log" 2>&1
  ! grep -iE 'isvalid: false|exception|mismatch|corrupt' "$work/dump-log"
  [ "$(grep -c '^| offset' "$work/dump-log")" -gt 4000 ]
}
kafka_shows_the_same() {
  at_kafka DirectoryDump "$work/kafka.2"
  same "$work/ringmill.2" "$work/kafka.2"
  ! ls -d "$data"/*-stray 2> /dev/null
}
kafka_writes_more() {
  at_kafka DirectoryWriter more born-there
  at_kafka DirectoryDump "$work/kafka.3"
}
# Kafka is killed and its files are damaged above their recovery points; Kafka itself says what is to be left of them.
kafka_is_killed_and_damaged() {
  "$ringmill" storage to-kafka "$data"
  kafka_up
  at_kafka DirectoryWriter more born-late
  broker_kill "$kafka" || true
  # Kafka gives the indexes it writes to their full size, in zeros: nothing is wrong with them.
  [ -n "$(find "$data/__cluster_metadata-0" -name '*.index' -size +1M)" ]
  "$ringmill" storage check "$data"
  last() { ls "$data/$1"/*.log | tail -n 1; }
  truncate -s -20 "$(last codecs-2)"
  head -c 300 /dev/zero | tr '\0' '\7' >> "$(last trimmed-0)"
  # A byte inside the last batch but some: that one and all behind it go.
  local victim size
  victim="$(last transactions-1)" size="$(stat -c %s "$(last transactions-1)")"
  printf '\377' | dd of="$victim" bs=1 seek=$((size - 400)) conv=notrunc status=none
  mkdir -p "$work/oracle" && cp -a "$data" "$work/oracle/data"
}
both_cut_the_same() {
  at_ringmill DirectoryDump "$work/ringmill.4"
  grep 'did not stop cleanly here' "$ringmill_dir/log"
  [ "$(grep -c 'cut a log that Apache Kafka left' "$ringmill_dir/log")" = 3 ]
  kafka_java DirectoryDump "127.0.0.1:$oracle_port" "$work/oracle.4"
  same "$work/oracle.4" "$work/ringmill.4"
}
# refused TEXT DIR: Ringmill ends with this reason, and every file is as it was.
refused() {
  local before output
  before="$(cd "$2" && find . -type f ! -name .lock | sort | xargs sha256sum)"
  if output="$(timeout 240 "$ringmill" serve --set "log.dirs=$2" --set "listeners=PLAINTEXT://127.0.0.1:$ringmill_port" 2>&1)"; then return 1; fi
  expect_contains "the reason" "$1" "$output"
  expect_equal "the files" "$before" "$(cd "$2" && find . -type f ! -name .lock | sort | xargs sha256sum)"
}
foreign_directories_are_refused() {
  local copy="$work/foreign"
  cp -a "$work/oracle/data" "$copy"
  sed -i 's/node.id=1/node.id=2/' "$copy/meta.properties"
  refused "belongs to node 2, but node.id is 1" "$copy"
  printf 'version=0\nbroker.id=1\ncluster.id=x\n' > "$copy/meta.properties"
  refused "version 0 instead of 1" "$copy"
  cp "$work/oracle/data/meta.properties" "$copy/meta.properties"
  mv "$copy/__cluster_metadata-0" "$work/metadata-elsewhere"
  refused "no log.dirs holds the cluster's metadata" "$copy"
  mv "$work/metadata-elsewhere" "$copy/__cluster_metadata-0"
  sed -i 's/directory.id=.*/directory.id=AAECAwQFBgcICQoLDA0O_w/' "$copy/meta.properties"
  refused "which is not among log.dirs" "$copy"
}

# Several log directories.
jbod="$work/jbod" jbod_ringmill="$work/jbod-ringmill"
jbod_dirs="$jbod/data,$jbod/more"
partitions_of() { (cd "$1" && ls -d *-[0-9]* | grep -v __cluster); }
ringmill_spreads_topics() {
  at_ringmill DirectoryWriter records
  at_ringmill DirectoryDump "$work/jbod.1"
  [ "$(partitions_of "$jbod/data" | wc -l)" -gt 4 ] && [ "$(partitions_of "$jbod/more" | wc -l)" -gt 4 ]
}
both_directories_are_given_back() {
  local output
  if output="$("$ringmill" storage to-kafka "$jbod/data" 2>&1)"; then return 1; fi
  expect_contains "one of two" "$jbod/more, too: name all of log.dirs" "$output"
  "$ringmill" storage to-kafka "$jbod/data" "$jbod/more"
  partitions_of "$jbod/data" > "$work/jbod.data"
  partitions_of "$jbod/more" > "$work/jbod.more"
}
kafka_serves_both() {
  at_kafka DirectoryDump "$work/jbod.2"
  same "$work/jbod.1" "$work/jbod.2"
  partitions_of "$jbod/data" | diff "$work/jbod.data" -
  partitions_of "$jbod/more" | diff "$work/jbod.more" -
  at_kafka DirectoryWriter more born-there
  at_kafka DirectoryDump "$work/jbod.3"
}
ringmill_takes_both_over_again() {
  at_ringmill DirectoryDump "$work/jbod.4"
  same "$work/jbod.3" "$work/jbod.4"
}

ringmill_shows_the_same_again() {
  at_ringmill DirectoryDump "$work/ringmill.3"
  same "$work/kafka.3" "$work/ringmill.3"
}

kafka_up || exit 1
test_case "Kafka writes all there is" kafka_writes
broker_stop "$kafka"
sums > "$work/sums"
ringmill_up || exit 1
test_case "Ringmill takes it over and shows the same" ringmill_shows_the_same
test_case "Ringmill writes more" ringmill_writes
broker_kill "$ringmill_dir"
test_case "Kafka's metadata and internal topics are untouched" kafkas_own_is_untouched
test_case "a killed Ringmill's directory is given back" given_back
test_case "kafka-dump-log is content" dump_log_is_content
kafka_up || exit 1
test_case "Kafka shows the same" kafka_shows_the_same
test_case "Kafka writes more" kafka_writes_more
broker_stop "$kafka"
ringmill_up || exit 1
test_case "Ringmill takes it over again and shows the same" ringmill_shows_the_same_again
broker_stop "$ringmill_dir"
test_case "Kafka is killed, and its logs are damaged" kafka_is_killed_and_damaged
: > "$ringmill_dir/log"
ringmill_up || exit 1
broker_start kafka "$work/oracle" "$oracle_port" "${kafka_config[@]}" || exit 1
test_case "Ringmill cuts what Kafka would cut" both_cut_the_same
broker_stop "$ringmill_dir"
broker_kill "$work/oracle"
test_case "foreign directories are refused and left as they are" foreign_directories_are_refused

broker_start ringmill "$jbod_ringmill" "$ringmill_port" "log.dirs=$jbod_dirs" "log.cleaner.enable=false" || exit 1
test_case "Ringmill spreads topics over two log directories" ringmill_spreads_topics
broker_kill "$jbod_ringmill"
test_case "both are given back, and one alone is not" both_directories_are_given_back
broker_start kafka "$jbod" "$kafka_port" "${kafka_config[@]}" "log.dirs=$jbod_dirs" || exit 1
test_case "Kafka serves both and writes more" kafka_serves_both
broker_stop "$jbod"
broker_start ringmill "$jbod_ringmill" "$ringmill_port" "log.dirs=$jbod_dirs" "log.cleaner.enable=false" || exit 1
test_case "Ringmill takes both over again" ringmill_takes_both_over_again
broker_stop "$jbod_ringmill"
finish
