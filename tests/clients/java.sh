#!/usr/bin/env bash
# Apache Kafka's Java producer, consumer and admin client against a broker; the cases are in java/*Cases.java.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)"
broker_start "$test_broker" "$work/broker" "$port" transaction.abort.timed.out.transaction.cleanup.interval.ms=500 || exit 1
counted kafka_java ProducerConsumerCases "127.0.0.1:$port"
counted kafka_java AdminCases "127.0.0.1:$port"
counted kafka_java GroupCases "127.0.0.1:$port"
counted kafka_java TransactionCases "127.0.0.1:$port"
finish
