import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Transactions in compacted topics. Apache Kafka writes them without a cleaner; then both brokers compact a copy of the same directory.
 *   write KAFKA          committed and aborted transactions over many segments
 *   compare KAFKA RINGMILL   waits until both have compacted, and compares what readers of both kinds see
 */
public final class CompactionTransactions {
    private static final String TOPIC = "transactions";
    private static final int PARTITIONS = 3;
    private static final int ROUNDS = 30;
    private static final int SEGMENT_MS = 1000;

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("write")) {
            write(arguments[1]);
            return;
        }
        Cases cases = new Cases();
        cases.run("compaction of transactions leaves the same records", () -> compare(arguments[1], arguments[2]));
        System.exit(cases.status());
    }

    private static void write(String kafka) throws Exception {
        try (Admin admin = Clients.admin(kafka)) {
            Map<String, String> configs = Map.of("cleanup.policy", "compact", "segment.ms", Integer.toString(SEGMENT_MS), "min.cleanable.dirty.ratio", "0.01",
                "message.timestamp.before.max.ms", "9223372036854775807", "delete.retention.ms", "100", "file.delete.delay.ms", "100");
            admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1).configs(configs))).all().get();
        }
        Random random = new Random(11);
        List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            producers.add(Clients.producer(kafka, "transactional.id", "compacted-" + i, "linger.ms", "0"));
            producers.get(i).initTransactions();
        }
        for (int round = 0; round < ROUNDS; round++) {
            if (round % 10 == 0 && round > 0) {
                rollAtTheNextMarker();
            }
            long timestamp = 1_700_000_000_000L + round / 3 * 10_000L;
            for (KafkaProducer<byte[], byte[]> producer : producers) {
                producer.beginTransaction();
            }
            for (int i = 0; i < 12; i++) {
                byte[] key = Clients.bytes("key-" + random.nextInt(15));
                byte[] value = random.nextInt(5) == 0 ? null : Clients.bytes("round " + round + " record " + i);
                producers.get(random.nextInt(3)).send(new ProducerRecord<>(TOPIC, i % PARTITIONS, timestamp, key, value)).get();
            }
            for (KafkaProducer<byte[], byte[]> producer : producers) {
                if (random.nextInt(3) == 0) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        rollAtTheNextMarker();
        for (KafkaProducer<byte[], byte[]> producer : producers) {
            producer.beginTransaction();
            for (int partition = 0; partition < PARTITIONS; partition++) {
                producer.send(new ProducerRecord<>(TOPIC, partition, 1_700_001_000_000L, Clients.bytes("late"), Clients.bytes("1"))).get();
            }
            producer.commitTransaction();
        }
        try (KafkaProducer<byte[], byte[]> plain = Clients.producer(kafka)) {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                plain.send(new ProducerRecord<>(TOPIC, partition, 1_700_001_000_000L, Clients.bytes("last"), Clients.bytes("1"))).get();
            }
        }
        producers.forEach(KafkaProducer::close);
    }

    /** Markers bear the coordinator's clock: the first one that is this much younger than its segment's first starts a new segment, and what lies before can be compacted. */
    private static void rollAtTheNextMarker() throws InterruptedException {
        Thread.sleep(SEGMENT_MS + 200);
    }

    private static void compare(String kafka, String ringmill) throws Exception {
        int uncompacted = ROUNDS * 12 + 4 * PARTITIONS;
        long until = System.nanoTime() + Duration.ofMinutes(4).toNanos();
        Map<String, List<String>> ofKafka;
        Map<String, List<String>> ofRingmill;
        do {
            Thread.sleep(500);
            ofKafka = read(kafka);
            ofRingmill = read(ringmill);
        } while (System.nanoTime() < until && !(ofKafka.equals(ofRingmill) && count(ofKafka) < uncompacted / 2));
        for (String view : ofKafka.keySet()) {
            Cases.equal(view, String.join("\n", ofKafka.get(view)), String.join("\n", ofRingmill.get(view)));
        }
        Cases.check("nothing was compacted: " + count(ofKafka), count(ofKafka) < uncompacted / 2);
    }

    private static int count(Map<String, List<String>> read) {
        return read.entrySet().stream().filter(e -> e.getKey().startsWith("read_uncommitted")).mapToInt(e -> e.getValue().size()).sum();
    }

    private static Map<String, List<String>> read(String bootstrap) {
        Map<String, List<String>> found = new TreeMap<>();
        for (String isolation : List.of("read_uncommitted", "read_committed")) {
            try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(bootstrap, "isolation.level", isolation)) {
                for (int partition = 0; partition < PARTITIONS; partition++) {
                    TopicPartition from = new TopicPartition(TOPIC, partition);
                    List<String> lines = new ArrayList<>();
                    consumer.assign(List.of(from));
                    consumer.seekToBeginning(List.of(from));
                    long end = consumer.endOffsets(List.of(from)).get(from);
                    while (consumer.position(from) < end) {
                        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(5)).records(from)) {
                            lines.add(record.offset() + " " + Clients.text(record.key()) + "=" + Clients.text(record.value()));
                        }
                    }
                    found.put(isolation + " " + from, lines);
                }
            }
        }
        return found;
    }
}
