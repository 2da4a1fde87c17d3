# What perf/compare and perf/density share, to be sourced from the root of the repository: brokers started in turn on empty directories.
#
# Wants `variants`, `out` and perhaps `timeout` (seconds for one run); gives `perf`, `ringmill`, `results`, `pid` and the functions below.
. tests/kafka/kafka.sh
data="${DIR:-$out/data}"
perf="${RINGMILL_PERF:-$root/target/release/ringmill-perf}" ringmill="${RINGMILL_BIN:-$root/target/release/ringmill}"
# What Kafka's own start script gives its broker.
export KAFKA_JVM="${KAFKA_JVM:--Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent}"
cached=9223372036854775807
mkdir -p "$out"
results="$out/results.tsv"
: > "$results"
pid=''

# Ends the broker that runs, if one does, and removes its data.
end_broker() {
  local tries=0
  [ -n "$pid" ] || return 0
  kill "$pid" 2> /dev/null || true
  while kill -0 "$pid" 2> /dev/null; do
    [ $((tries += 1)) -lt 300 ] || { echo "$0: broker $pid does not stop, killing it"; kill -KILL "$pid"; sleep 1; break; }
    sleep 0.1
  done
  pid=''
  rm -rf "$data"
  mkdir -p "$data"
  sync -f "$data"
}
trap end_broker EXIT

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 6000 * 2))
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || (exec 3<> "/dev/tcp/127.0.0.1/$((port + 1))") 2> /dev/null || { echo "$port"; return; }
  done
}

# run SCENARIO ARG...: runs ringmill-perf and keeps its metrics; a scenario that fails is said and left out.
run() {
  local scenario="$1" output
  shift
  output="$(timeout "${timeout:-180}" "$perf" "$@" 2>> "$out/errors")" || { echo "$0: $variant, $scenario failed: $(tail -1 "$out/errors")"; return 0; }
  [ "$scenario" != start ] || pid="$(awk '$1 == "pid" { print $2 }' <<< "$output")"
  awk -v OFS='\t' -v v="$variant" -v r="$round" -v s="$scenario" '$1 != "pid" { print v, r, s, $1, $2 }' <<< "$output" >> "$results"
  echo "  $scenario: $(awk '$1 ~ /^(mib_per_s|requests_per_s|cpu_s_per_gib|p50_ms|p99_ms|p99.9_ms|first_ack_ms|idle_.*|errors|unanswered)$/ { printf "%s %s  ", $1, $2 }' <<< "$output")"
}

start_broker() {
  local port="$1" flush=1
  [[ "$variant" = *-durable ]] || flush="$cached"
  rm -rf "$data" && mkdir -p "$data"
  case "$variant" in
    ringmill-*)
      run start start --broker "127.0.0.1:$port" --log "$out/broker.log" -- "$ringmill" serve --set "listeners=PLAINTEXT://127.0.0.1:$port" \
        --set "log.dirs=$data/data" --set "ringmill.admin.listener=127.0.0.1:$((port + 1))" --set "log.flush.interval.messages=$flush"
      ;;
    kafka-*)
      kafka_format "$data" "$port" "log.flush.interval.messages=$flush"
      run start start --broker "127.0.0.1:$port" --pid-file "$data/pid" --log "$out/broker.log" \
        -- bash -c '. tests/kafka/kafka.sh && kafka_run "$1"' kafka_run "$data"
      ;;
    *) echo "$0: no variant $variant"; exit 2 ;;
  esac
  if [ -z "$pid" ]; then echo "$0: $variant did not start:"; tail -5 "$out/broker.log"; exit 1; fi
}

# in_turn ROUND: the variants, in alternating order.
in_turn() {
  local order=("${variants[@]}") variant
  if [ $(($1 % 2)) -eq 0 ]; then
    order=()
    for variant in "${variants[@]}"; do order=("$variant" "${order[@]}"); done
  fi
  echo "${order[@]}"
}
