# Apache Kafka for the tests, to be sourced: its jars by Maven, its stock tools by name, its broker as the oracle.
# Jars are kept outside the repository and fetched once.

kafka_home="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
kafka_version="$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$kafka_home/pom.xml")"
tests_cache="${XDG_CACHE_HOME:-$HOME/.cache}/ringmill-tests"
kafka_jars="$tests_cache/kafka-$kafka_version"

# The jars of this pom.xml are there.
kafka_is_fetched() { cmp -s "$kafka_home/pom.xml" "$kafka_jars/.complete"; }

kafka_fetch() {
  kafka_is_fetched && return
  mkdir -p "$kafka_jars"
  # A repository that fails once is asked again.
  local tries=0
  until mvn -q -B -f "$kafka_home/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$kafka_jars"; do
    [ $((tries += 1)) -lt 4 ] || return 1
    sleep 10
  done
  cp "$kafka_home/pom.xml" "$kafka_jars/.complete"
}

# kafka_java CLASS ARG...: a class of Kafka's, or of tests/clients/java once they are compiled.
# Tiered compilation stops at its first tier: these programs live for a second or two.
kafka_java() {
  java ${JAVA_HEAP:--Xmx256m} ${JAVA_TIER:--XX:TieredStopAtLevel=1} -XX:+UseSerialGC -XX:-UsePerfData \
    "-Dlog4j2.configurationFile=$kafka_home/log4j2.xml" -cp "${JAVA_CLASSES:+$JAVA_CLASSES:}$kafka_jars/*" "$@"
}

# kafka_tool NAME ARG...: a stock command-line tool.
kafka_tool() {
  local class
  case "$1" in
    kafka-topics) class=org.apache.kafka.tools.TopicCommand ;;
    kafka-configs) class=kafka.admin.ConfigCommand ;;
    kafka-console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
    kafka-console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    kafka-producer-perf-test) class=org.apache.kafka.tools.ProducerPerformance ;;
    kafka-consumer-perf-test) class=org.apache.kafka.tools.ConsumerPerformance ;;
    kafka-get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
    kafka-delete-records) class=org.apache.kafka.tools.DeleteRecordsCommand ;;
    kafka-log-dirs) class=org.apache.kafka.tools.LogDirsCommand ;;
    kafka-broker-api-versions) class=org.apache.kafka.tools.BrokerApiVersionsCommand ;;
    kafka-dump-log) class=org.apache.kafka.tools.DumpLogSegments ;;
    kafka-consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    kafka-groups) class=org.apache.kafka.tools.GroupsCommand ;;
    kafka-transactions) class=org.apache.kafka.tools.TransactionsCommand ;;
    kafka-features) class=org.apache.kafka.tools.FeatureCommand ;;
    kafka-storage) class=kafka.tools.StorageTool ;;
    *) echo "no class known for $1" >&2; return 2 ;;
  esac
  shift
  kafka_java "$class" "$@"
}

# kafka_start DIR PORT [key=value]...: leaves the process id in DIR/pid, output in DIR/log; returns at once.
kafka_start() {
  kafka_format "$@" || return 1
  kafka_run "$1"
}

# kafka_format DIR PORT [key=value]...: configuration, and storage if there is none yet.
# The id has no dash: one at its start would be taken for an option, in one of 64 runs.
kafka_format() {
  local dir="$1" port="$2"
  shift 2
  {
    printf '%s\n' process.roles=broker,controller node.id=1 controller.listener.names=CONTROLLER \
      "controller.quorum.voters=1@127.0.0.1:$((port + 1))" \
      "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))" \
      listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
      "log.dirs=$dir/data" offsets.topic.replication.factor=1 group.initial.rebalance.delay.ms=0 \
      transaction.state.log.replication.factor=1 transaction.state.log.min.isr=1
    [ $# -eq 0 ] || printf '%s\n' "$@"
  } > "$dir/server.properties"
  if [ ! -f "$dir/data/meta.properties" ]; then
    kafka_tool kafka-storage format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' 'xy' | cut -c1-22)" \
      -c "$dir/server.properties" > "$dir/format.log" 2>&1 || { cat "$dir/format.log"; return 1; }
  fi
}

# kafka_run DIR: starts what kafka_format prepared. The JVM's options are KAFKA_JVM's; without it small ones, which do for tests.
kafka_run() {
  local dir="$1"
  (
    ulimit -n "$(ulimit -Hn)"
    exec java ${KAFKA_JVM:--Xmx640m -Xms256m -XX:+UseG1GC} -XX:-UsePerfData "-Dlog4j2.configurationFile=$kafka_home/log4j2.xml" \
      -cp "$kafka_jars/*" kafka.Kafka "$dir/server.properties"
  ) >> "$dir/log" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
}
