#!/usr/bin/env bash
# Asks Apache Kafka and Ringmill the same questions; Differential.java says how they are compared.
. "$(dirname "$0")/../stage.sh"
oracle="$(free_port)" port="$(free_port)"
broker_start kafka "$work/oracle" "$oracle" || exit 1
broker_start "$test_broker" "$work/broker" "$port" || exit 1
counted kafka_java Differential "127.0.0.1:$oracle" "127.0.0.1:$port"
finish
