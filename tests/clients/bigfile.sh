#!/usr/bin/env bash
# A real file of more than 100 MB goes in line by line through one client and comes out through another, byte for byte:
# once undisturbed, once with the broker killed five times on the way.
# The file is the source text of the crates that this project is built from, which every machine that builds it has.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)" broker="$work/broker" file="$work/file"
bootstrap="127.0.0.1:$port"
bytes_min=110000000
restart() { broker_start "$test_broker" "$broker" "$port" log.segment.bytes=16777216; }

# kcat sends no empty line, so the file has none; the Rust integration tests send empty records.
make_file() {
  cargo fetch --locked --quiet --manifest-path "$root/Cargo.toml"
  find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -type f -name '*.rs' -print0 | sort -z | xargs -0 cat | grep -av '^$' > "$work/text"
  while [ ! -f "$file" ] || [ "$(stat -c %s "$file")" -lt $bytes_min ]; do cat "$work/text" >> "$file"; done
  echo "the file has $(wc -l < "$file") lines, $(sort -u "$file" | wc -l) of them different, and $(stat -c %s "$file") bytes"
}

# In by librdkafka, out by the Java client.
undisturbed() {
  kcat -b "$bootstrap" -P -t undisturbed -p 0 -X enable.idempotence=true -X linger.ms=5 -X queue.buffering.max.messages=1000000 -l "$file"
  kafka_java LineConsumer "$bootstrap" undisturbed "$work/out" "$(wc -l < "$file")"
  cmp "$file" "$work/out"
}

# In by the Java client while the broker dies at 10, 30, 50, 70 and 90 percent, and once more behind the last acknowledgement. A reader that
# follows all the while sees the same bytes as one that comes afterwards: nothing that was served is taken back.
send_through_kills() {
  local percent kills=0
  echo warm | kcat -b "$bootstrap" -P -t warm -p 0
  kafka_java LineConsumer "$bootstrap" killed "$work/followed" "$(wc -l < "$file")" > "$work/follower" 2>&1 &
  follower=$!
  # A pipe, so that a percentage is seen when it is printed: the whole file takes a second or two.
  mkfifo "$work/percent"
  kafka_java LineProducer "$bootstrap" killed "$file" lz4 > "$work/percent" 2> "$work/producer" &
  producer=$!
  exec 4< "$work/percent"
  while read -r percent <&4; do
    case "$percent" in
      10 | 30 | 50 | 70 | 90)
        broker_kill "$broker"
        kills=$((kills + 1))
        echo "    killed at $percent percent, $(date +%T.%3N)"
        restart || return 1
        ;;
    esac
  done
  wait "$producer"
  produced=$?
  broker_kill "$broker"
  restart || return 1
  wait "$follower"
  followed=$?
  killed=$kills
}
every_line_was_acknowledged() { cat "$work/producer"; expect_equal kills 5 "$killed"; expect_equal "exit code" 0 "$produced"; }
follower_saw_the_file() { cat "$work/follower"; expect_equal "exit code" 0 "$followed"; cmp "$file" "$work/followed"; }
later_reader_sees_the_file() {
  kcat -b "$bootstrap" -C -t killed -p 0 -o beginning -e -q > "$work/out"
  sha256sum "$file" "$work/out"
  cmp "$file" "$work/out"
}

make_file || exit 1
restart || exit 1
test_case "in by librdkafka, out by Java, byte for byte" undisturbed
send_through_kills || failed=$((failed + 1))
test_case "every line was acknowledged in order through five kills" every_line_was_acknowledged
test_case "a reader that followed saw the file byte for byte" follower_saw_the_file
test_case "a reader afterwards sees the file byte for byte" later_reader_sees_the_file
finish
