import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;

/** Java producer and consumer by assignment. Arguments: bootstrap. */
public final class ProducerConsumerCases {
    private static String bootstrap;

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        Cases cases = new Cases();
        cases.run("a default (idempotent) producer's records come back with dense offsets", ProducerConsumerCases::defaultProducer);
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            cases.run("codec " + codec + ", many batches in flight", () -> codec(codec));
        }
        for (String acks : List.of("0", "1", "all")) {
            cases.run("acks=" + acks + " without idempotence", () -> acks(acks));
        }
        cases.run("headers repeat a key and keep their order", ProducerConsumerCases::headers);
        cases.run("null keys, null values and empty values stay apart", ProducerConsumerCases::nulls);
        cases.run("seek, beginning, end and position", ProducerConsumerCases::seek);
        cases.run("offsets for times", ProducerConsumerCases::offsetsForTimes);
        cases.run("a record of 1 MB comes back though fetch limits are smaller", ProducerConsumerCases::largeRecord);
        cases.run("a record above max.message.bytes is refused, the next one goes in", ProducerConsumerCases::tooLarge);
        cases.run("partitionsFor and listTopics", ProducerConsumerCases::partitions);
        cases.run("an invalid topic name fails at once", ProducerConsumerCases::invalidTopic);
        cases.run("auto.offset.reset obeys out-of-range offsets", ProducerConsumerCases::outOfRange);
        cases.run("one consumer of many partitions sees each in order", ProducerConsumerCases::manyPartitions);
        cases.run("two producers and a tailing consumer at once", ProducerConsumerCases::tailing);
        cases.run("fetch.min.bytes holds an answer back, fetch.max.wait.ms sends it", ProducerConsumerCases::minBytes);
        System.exit(cases.status());
    }

    private static TopicPartition first(String topic) {
        return new TopicPartition(topic, 0);
    }

    private static KafkaConsumer<byte[], byte[]> consumerFromBeginning(TopicPartition partition, String... overrides) {
        KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap, overrides);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        return consumer;
    }

    private static void expectRecords(TopicPartition partition, String prefix, int count, String... overrides) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumerFromBeginning(partition, overrides)) {
            List<ConsumerRecord<byte[], byte[]>> records = Clients.receive(consumer, count);
            Cases.equal("count", count, records.size());
            for (int i = 0; i < count; i++) {
                Cases.equal("offset", (long) i, records.get(i).offset());
                Cases.equal("value", prefix + " " + i, Clients.text(records.get(i).value()));
            }
        }
    }

    private static void defaultProducer() throws Exception {
        TopicPartition partition = first("java-default");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            List<RecordMetadata> acknowledged = Clients.send(producer, partition, "record", 10_000);
            for (int i = 0; i < acknowledged.size(); i++) {
                Cases.equal("acknowledged offset", (long) i, acknowledged.get(i).offset());
            }
        }
        expectRecords(partition, "record", 10_000);
    }

    private static void codec(String codec) throws Exception {
        TopicPartition partition = first("java-codec-" + codec);
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap, "compression.type", codec, "linger.ms", "1")) {
            Clients.send(producer, partition, "a value that compresses well well well", 20_000);
        }
        expectRecords(partition, "a value that compresses well well well", 20_000);
    }

    private static void acks(String acks) throws Exception {
        TopicPartition partition = first("java-acks-" + acks);
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap, "enable.idempotence", "false", "acks", acks)) {
            long offset = Clients.send(producer, partition, "record", 1_000).get(999).offset();
            Cases.equal("last acknowledged offset", acks.equals("0") ? -1L : 999L, offset);
        }
        expectRecords(partition, "record", 1_000);
    }

    private static void headers() throws Exception {
        TopicPartition partition = first("java-headers");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(partition.topic(), 0, null, Clients.bytes("v"));
            record.headers().add("a", Clients.bytes("1")).add("b", null).add("a", Clients.bytes("2")).add("a", new byte[0]);
            producer.send(record).get();
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumerFromBeginning(partition)) {
            List<String> seen = new ArrayList<>();
            for (Header header : Clients.receive(consumer, 1).get(0).headers()) {
                seen.add(header.key() + "=" + Clients.text(header.value()));
            }
            Cases.equal("headers", List.of("a=1", "b=null", "a=2", "a="), seen);
        }
    }

    private static void nulls() throws Exception {
        TopicPartition partition = first("java-nulls");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            producer.send(new ProducerRecord<>(partition.topic(), 0, Clients.bytes("k"), null)).get();
            producer.send(new ProducerRecord<>(partition.topic(), 0, null, new byte[0])).get();
            producer.send(new ProducerRecord<>(partition.topic(), 0, 1_000_000L, new byte[0], Clients.bytes("v"))).get();
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumerFromBeginning(partition)) {
            List<String> seen = new ArrayList<>();
            List<ConsumerRecord<byte[], byte[]>> records = Clients.receive(consumer, 3);
            records.forEach(record -> seen.add(Clients.text(record.key()) + ":" + Clients.text(record.value())));
            Cases.equal("records", List.of("k:null", "null:", ":v"), seen);
            Cases.equal("timestamp", 1_000_000L, records.get(2).timestamp());
        }
    }

    private static void seek() throws Exception {
        TopicPartition partition = first("java-seek");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap);
            KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap, "max.poll.records", "1")) {
            Clients.send(producer, partition, "record", 500);
            consumer.assign(List.of(partition));
            Cases.equal("beginning", Map.of(partition, 0L), consumer.beginningOffsets(List.of(partition)));
            Cases.equal("end", Map.of(partition, 500L), consumer.endOffsets(List.of(partition)));
            // Offsets 1 to 499 lie in the middle of batches.
            for (long offset : new long[] {0, 1, 250, 499, 17}) {
                consumer.seek(partition, offset);
                Cases.equal("offset after seek", offset, Clients.receive(consumer, 1).get(0).offset());
                Cases.equal("position", offset + 1, consumer.position(partition));
            }
            consumer.seekToEnd(List.of(partition));
            Cases.equal("position at end", 500L, consumer.position(partition));
            Cases.check("nothing at the end", consumer.poll(Duration.ofMillis(300)).isEmpty());
        }
    }

    private static void offsetsForTimes() throws Exception {
        TopicPartition partition = first("java-times");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap);
            KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap)) {
            long base = 1_700_000_000_000L;
            for (int i = 0; i < 100; i++) {
                producer.send(new ProducerRecord<>(partition.topic(), 0, base + i * 1_000L, null, Clients.bytes("record " + i)));
                if (i % 10 == 9) {
                    producer.flush();
                }
            }
            for (int i : new int[] {0, 1, 9, 10, 55, 99}) {
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, base + i * 1_000L)).get(partition);
                Cases.equal("offset at the time of record " + i, (long) i, found.offset());
                Cases.equal("timestamp", base + i * 1_000L, found.timestamp());
                found = consumer.offsetsForTimes(Map.of(partition, base + i * 1_000L - 999)).get(partition);
                Cases.equal("offset just before record " + i, (long) i, found.offset());
            }
            Cases.equal("before all", 0L, consumer.offsetsForTimes(Map.of(partition, 0L)).get(partition).offset());
            Cases.equal("after all", null, consumer.offsetsForTimes(Map.of(partition, base + 99_001L)).get(partition));
        }
    }

    private static void largeRecord() throws Exception {
        TopicPartition partition = first("java-large");
        byte[] value = new byte[1_000_000];
        new Random(1).nextBytes(value);
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            producer.send(new ProducerRecord<>(partition.topic(), 0, null, value)).get();
            producer.send(new ProducerRecord<>(partition.topic(), 0, null, value)).get();
        }
        try (KafkaConsumer<byte[], byte[]> consumer =
            consumerFromBeginning(partition, "fetch.max.bytes", "1000", "max.partition.fetch.bytes", "1000")) {
            for (ConsumerRecord<byte[], byte[]> record : Clients.receive(consumer, 2)) {
                Cases.check("value is the same", java.util.Arrays.equals(value, record.value()));
            }
        }
    }

    private static void tooLarge() throws Exception {
        TopicPartition partition = first("java-too-large");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap, "max.request.size", "5000000")) {
            Cases.fails(RecordTooLargeException.class,
                () -> producer.send(new ProducerRecord<>(partition.topic(), 0, null, new byte[2_000_000])).get());
            Cases.equal("offset", 0L, producer.send(new ProducerRecord<>(partition.topic(), 0, null, Clients.bytes("small"))).get().offset());
        }
    }

    private static void partitions() throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap)) {
            Cases.equal("partitions", 1, consumer.partitionsFor("java-default").size());
            Cases.equal("leader", 1, consumer.partitionsFor("java-default").get(0).inSyncReplicas().length);
            Cases.check("listTopics has it", consumer.listTopics().containsKey("java-default"));
        }
    }

    private static void invalidTopic() {
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            Cases.fails(InvalidTopicException.class, () -> producer.send(new ProducerRecord<>("not a/topic", Clients.bytes("v"))).get());
        }
    }

    private static void outOfRange() throws Exception {
        TopicPartition partition = first("java-out-of-range");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            Clients.send(producer, partition, "record", 10);
        }
        try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap, "auto.offset.reset", "earliest")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1_000);
            Cases.equal("starts over", 0L, Clients.receive(consumer, 10).get(0).offset());
        }
        try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap, "auto.offset.reset", "none")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1_000);
            try {
                consumer.poll(Duration.ofSeconds(10));
                throw new AssertionError("an out-of-range offset was accepted");
            } catch (NoOffsetForPartitionException | org.apache.kafka.clients.consumer.OffsetOutOfRangeException expected) {
                // Either tells the application that the broker refused the offset.
            }
        }
    }

    private static void manyPartitions() throws Exception {
        int partitions = 12;
        try (var admin = Clients.admin(bootstrap)) {
            admin.createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic("java-many", partitions, (short) 1))).all().get();
        }
        List<TopicPartition> all = new ArrayList<>();
        for (int p = 0; p < partitions; p++) {
            all.add(new TopicPartition("java-many", p));
        }
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap);
            KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap)) {
            // Apache Kafka answers a creation before every partition has its leader, and a producer that starts between does not recover.
            consumer.endOffsets(all);
            for (int i = 0; i < 1_000; i++) {
                for (TopicPartition partition : all) {
                    producer.send(new ProducerRecord<>(partition.topic(), partition.partition(), null, Clients.bytes("" + i)));
                }
            }
            producer.flush();
        }
        try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap)) {
            consumer.assign(all);
            consumer.seekToBeginning(all);
            int[] next = new int[partitions];
            for (ConsumerRecord<byte[], byte[]> record : Clients.receive(consumer, 1_000 * partitions)) {
                Cases.equal("offset of partition " + record.partition(), (long) next[record.partition()], record.offset());
                Cases.equal("value", "" + next[record.partition()]++, Clients.text(record.value()));
            }
        }
    }

    private static void tailing() throws Exception {
        TopicPartition partition = first("java-tailing");
        try (KafkaProducer<byte[], byte[]> warm = Clients.producer(bootstrap)) {
            Clients.send(warm, partition, "warm", 1);
        }
        AtomicInteger problems = new AtomicInteger();
        List<Thread> producers = new ArrayList<>();
        for (int p = 0; p < 2; p++) {
            String prefix = "producer " + p;
            producers.add(new Thread(() -> {
                try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap, "linger.ms", "0")) {
                    Clients.send(producer, partition, prefix, 5_000);
                } catch (Exception problem) {
                    problem.printStackTrace(System.out);
                    problems.incrementAndGet();
                }
            }));
        }
        try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap)) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1);
            producers.forEach(Thread::start);
            int[] next = new int[2];
            long offset = 1;
            for (ConsumerRecord<byte[], byte[]> record : Clients.receive(consumer, 10_000)) {
                Cases.equal("offset", offset++, record.offset());
                String[] words = Clients.text(record.value()).split(" ");
                Cases.equal("order of producer " + words[1], "" + next[Integer.parseInt(words[1])]++, words[2]);
            }
        }
        for (Thread producer : producers) {
            producer.join();
        }
        Cases.equal("producers that failed", 0, problems.get());
    }

    private static void minBytes() throws Exception {
        TopicPartition partition = first("java-min-bytes");
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap);
            KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap, "fetch.min.bytes", "1000000", "fetch.max.wait.ms", "1500")) {
            Clients.send(producer, partition, "record", 1);
            consumer.assign(List.of(partition));
            consumer.seek(partition, 0);
            long began = System.nanoTime();
            Clients.receive(consumer, 1);
            long waited = (System.nanoTime() - began) / 1_000_000;
            Cases.check("one small record came after " + waited + " ms, before the wait of 1500 ms was over", waited >= 1_400);
        }
    }
}
