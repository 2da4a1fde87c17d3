# What every stage script under tests/ uses, to be sourced: a broker of either kind, test cases, their count.
#
# TEST_BROKER=ringmill (default) or kafka: the same cases run against both, so that a case is known to be right by
# passing against Apache Kafka. A stage ends only processes that it started, by their id.
set -uo pipefail
export LC_ALL=C.UTF-8
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
. "$root/tests/kafka/kafka.sh"
export JAVA_CLASSES="$root/target/test-java"
python="$tests_cache/venv/bin/python"
ringmill="${RINGMILL_BIN:-$root/target/release/ringmill}"
test_broker="${TEST_BROKER:-ringmill}"
work="$(mktemp -d "${TMPDIR:-/tmp}/ringmill-stage.XXXXXX")"
passed=0 failed=0 started=()

close_stage() {
  local dir
  for dir in "${started[@]}"; do broker_kill "$dir"; done
  [ -n "${KEEP:-}" ] && echo "kept $work" || rm -rf "$work"
}
trap close_stage EXIT

# A port that nothing listens on and no earlier call has given, below the range from which the kernel takes ports for outgoing connections.
# Kafka's controller and Ringmill's admin listener take the one above it.
free_port() {
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 6000 * 2))
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && continue
    (exec 3<> "/dev/tcp/127.0.0.1/$((port + 1))") 2> /dev/null && continue
    grep -qxs "$port" "$work/ports" && continue
    echo "$port" | tee -a "$work/ports"
    return
  done
}

# broker_start KIND DIR PORT [key=value]...: returns when it accepts connections. DIR survives a kill, and is started on again.
broker_start() {
  local kind="$1" dir="$2" port="$3" set=() pair
  shift 3
  mkdir -p "$dir"
  case "$kind" in
    kafka) kafka_start "$dir" "$port" "$@" || return 1 ;;
    ringmill)
      for pair in "listeners=PLAINTEXT://127.0.0.1:$port" "log.dirs=$dir/data" "ringmill.shards=2" \
        "ringmill.admin.listener=127.0.0.1:$((port + 1))" "$@"; do set+=(--set "$pair"); done
      "$ringmill" serve "${set[@]}" >> "$dir/log" 2>&1 < /dev/null &
      echo $! > "$dir/pid"
      ;;
  esac
  started+=("$dir")
  local tries=0 pid
  pid="$(cat "$dir/pid")"
  until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do
    if [ $((tries += 1)) -gt 3000 ] || ! kill -0 "$pid" 2> /dev/null; then
      echo "the $kind broker does not answer on port $port; the end of its output:"
      tail -30 "$dir/log"
      return 1
    fi
    sleep 0.1
  done
}

# broker_end DIR SIGNAL: waits until the process is gone; its exit code is the result. Only the shell that started it can ask for that.
broker_end() {
  local dir="$1" pid
  pid="$(cat "$dir/pid" 2> /dev/null)" || return 0
  kill "-$2" "$pid" 2> /dev/null
  while kill -0 "$pid" 2> /dev/null && [ "$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null | cut -c1)" != Z ]; do sleep 0.05; done
  rm -f "$dir/pid"
  wait "$pid" 2> /dev/null
}
broker_stop() { broker_end "$1" TERM; }
broker_kill() { broker_end "$1" KILL; return 0; }

# test_case NAME COMMAND...: runs it in a subshell that stops at the first failing command.
test_case() {
  local name="$1" began=$EPOCHREALTIME status
  shift
  ( set -e; "$@" ) > "$work/output" 2>&1 < /dev/null
  status=$?
  local took=$(( (${EPOCHREALTIME/./} - ${began/./}) / 1000 ))
  if [ $status -eq 0 ]; then
    passed=$((passed + 1))
    printf '    ok      %6d ms  %s\n' "$took" "$name"
  else
    failed=$((failed + 1))
    printf '    FAILED  %6d ms  %s (status %s)\n' "$took" "$name" "$status"
    tail -n 60 "$work/output" | cut -c1-400 | sed 's/^/      | /'
  fi
}

# counted COMMAND...: a program that runs cases of its own and prints them as test_case does.
counted() {
  "$@" > "$work/output" 2>&1 < /dev/null
  local status=$?
  cat "$work/output"
  passed=$((passed + $(grep -c '^    ok  ' "$work/output")))
  failed=$((failed + $(grep -c '^    FAILED  ' "$work/output")))
  if [ $status -ne 0 ] && ! grep -q '^    FAILED  ' "$work/output"; then
    failed=$((failed + 1))
    echo "    FAILED  $* ended with status $status"
  fi
}

expect_equal() { [ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; return 1; }; }
expect_contains() { case "$3" in *"$2"*) ;; *) echo "$1: no '$2' in: $3"; return 1 ;; esac; }

# Each stage script ends with this.
finish() {
  local dir
  if [ $failed -gt 0 ]; then
    for dir in "${started[@]}"; do echo "    the end of $dir/log:"; tail -n 20 "$dir/log" | cut -c1-300 | sed 's/^/      | /'; done
  fi
  echo "$passed cases passed, $failed failed"
  [ $failed -eq 0 ] && [ $passed -gt 0 ]
}
