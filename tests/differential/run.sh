#!/usr/bin/env bash
# Asks Apache Kafka and Ringmill the same questions; Differential.java says how they are compared.
. "$(dirname "$0")/../stage.sh"
oracle="$(free_port)" port="$(free_port)"
# Compaction shall begin soon, and not have memory for all keys.
cleaner=("log.cleaner.backoff.ms=200" "log.cleaner.dedupe.buffer.size=1100000")
# The first member of a group need not wait for others.
groups=("group.initial.rebalance.delay.ms=0" "offsets.topic.num.partitions=4" "transaction.state.log.num.partitions=4")
# A stall of 9 s would otherwise fence the oracle's only broker, and all its partitions get new leader epochs.
session=("broker.session.timeout.ms=600000")
# Members of consumer groups are heard of when a question is asked, and the oracle assigns before it answers.
consumers=("group.consumer.max.session.timeout.ms=1800000" "group.consumer.session.timeout.ms=1800000" "group.consumer.assignment.interval.ms=0")
broker_start kafka "$work/oracle" "$oracle" "${cleaner[@]}" "${groups[@]}" "${session[@]}" "${consumers[@]}" \
  group.consumer.assignor.offload.enable=false || exit 1
broker_start "$test_broker" "$work/broker" "$port" "${cleaner[@]}" "${groups[@]}" "${session[@]}" "${consumers[@]}" || exit 1
counted kafka_java Differential "127.0.0.1:$oracle" "127.0.0.1:$port"
broker_stop "$work/oracle"
broker_stop "$work/broker"

# Transactions that Kafka writes; then both compact the same directory.
small=(transaction.state.log.num.partitions=1 offsets.topic.num.partitions=1)
broker_start kafka "$work/writer" "$oracle" "${small[@]}" log.cleaner.enable=false || exit 1
kafka_java CompactionTransactions write "127.0.0.1:$oracle" || exit 1
broker_stop "$work/writer"
mkdir -p "$work/copy"
cp -r "$work/writer/data" "$work/copy/data"
broker_start kafka "$work/writer" "$oracle" "${small[@]}" "${cleaner[@]}" || exit 1
broker_start "$test_broker" "$work/copy" "$port" "${cleaner[@]}" || exit 1
counted kafka_java CompactionTransactions compare "127.0.0.1:$oracle" "127.0.0.1:$port"
finish
