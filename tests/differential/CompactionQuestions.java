import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Compacted topics with the same records, in the same batches, on both brokers: once both have compacted, the same records must be left, at
 * the same offsets. Segments roll where the records' own time says so, so that both have the same ones; which records are to be left is computed here too.
 */
final class CompactionQuestions {
    private static final List<Compression> CODECS =
        List.of(Compression.NONE, Compression.gzip().build(), Compression.snappy().build(), Compression.lz4().build(), Compression.zstd().build());
    private static final long START = 1_700_000_000_000L;
    private static final Duration PATIENCE = Duration.ofMinutes(4);

    private final Differential both;
    private final String topic;
    private final List<List<SimpleRecord>> written = new ArrayList<>();

    private CompactionQuestions(Differential both, String topic, int partitions, Map<String, String> configs) throws Exception {
        this.both = both;
        this.topic = topic;
        Map<String, String> all = new HashMap<>(Map.of("cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "0.01",
            "message.timestamp.before.max.ms", "9223372036854775807", "file.delete.delay.ms", "100"));
        all.putAll(configs);
        for (Peer peer : List.of(both.kafka, both.ringmill)) {
            try (Admin admin = Clients.admin(peer.bootstrap())) {
                admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(all))).all().get();
            }
            peer.learnTopicIds();
        }
        for (int partition = 0; partition < partitions; partition++) {
            written.add(new ArrayList<>());
        }
    }

    static void ask(Differential both, Cases cases) throws Exception {
        cases.run("compaction leaves the same records in every codec", () -> everyCodec(both));
        cases.run("compaction removes tombstones whose time has come", () -> oldTombstones(both));
        cases.run("compaction of more keys than its memory holds", () -> manyKeys(both));
        cases.run("compaction keeps young records, and does not wait with old ones", () -> lag(both));
    }

    /** Repeated keys, tombstones, headers, empty values; one partition for each codec. */
    private static void everyCodec(Differential both) throws Exception {
        CompactionQuestions topic = new CompactionQuestions(both, "every-codec", CODECS.size(), Map.of());
        Random random = new Random(4);
        for (int partition = 0; partition < CODECS.size(); partition++) {
            for (int segment = 0; segment < 8; segment++) {
                for (int batch = 0; batch < 6; batch++) {
                    List<SimpleRecord> records = new ArrayList<>();
                    for (int i = 0; i < 1 + random.nextInt(30); i++) {
                        records.add(someRecord(random, START + segment * 10_000L + batch));
                    }
                    topic.write(partition, CODECS.get(partition), records);
                }
            }
        }
        topic.compareWhen("compacted", (partition, records) -> survivors(records, topic.active(partition), true));
    }

    private static SimpleRecord someRecord(Random random, long timestamp) {
        byte[] key = Clients.bytes("key-" + random.nextInt(60));
        int kind = random.nextInt(10);
        byte[] value = kind == 0 ? null : kind == 1 ? new byte[0] : Clients.bytes("value " + random.nextLong() + "x".repeat(random.nextInt(300)));
        Header[] headers = kind == 2 ? new Header[] {new RecordHeader("h", Clients.bytes("1")), new RecordHeader("h", null)} : new Header[0];
        return new SimpleRecord(timestamp, key, value, headers);
    }

    private static void oldTombstones(Differential both) throws Exception {
        CompactionQuestions topic = new CompactionQuestions(both, "tombstones", 1, Map.of("delete.retention.ms", "100"));
        topic.write(0, Compression.NONE, List.of(record(0, "a", "1"), record(0, "b", "1"), record(0, "c", "1")));
        topic.write(0, Compression.gzip().build(), List.of(record(1, "a", null), record(1, "b", "2"), record(1, "d", null)));
        topic.write(0, Compression.NONE, List.of(record(10_000, "filler", "1")));
        // Each new segment is a reason for another pass; the first gives tombstones their time, the next one after that removes them. A pass that
        // comes late sees several segments as one: there are new ones until both have had their two.
        for (int segment = 2; segment < 5 || segment < 200 && topic.hasTombstones(); segment++) {
            topic.write(0, Compression.NONE, List.of(record(segment * 10_000, "filler", String.valueOf(segment))));
            Thread.sleep(1_000);
        }
        topic.compareWhen("compacted often", (partition, records) -> survivors(records, topic.active(partition), false));
    }

    private boolean hasTombstones() {
        return List.of(both.kafka, both.ringmill).stream().anyMatch(peer -> read(peer, 0).stream().anyMatch(line -> line.endsWith("=null")));
    }

    /** 50,000 keys, three times; a map of 1.1 MB holds 41,000 at most. */
    private static void manyKeys(Differential both) throws Exception {
        CompactionQuestions topic = new CompactionQuestions(both, "many-keys", 1, Map.of());
        for (int round = 0; round < 3; round++) {
            for (int from = 0; from < 50_000; from += 2_500) {
                List<SimpleRecord> records = new ArrayList<>();
                for (int i = from; i < from + 2_500; i++) {
                    records.add(record(round * 10_000, "key-" + (i * 7919 % 50_000), String.valueOf(round)));
                }
                topic.write(0, Compression.lz4().build(), records);
            }
        }
        topic.write(0, Compression.NONE, List.of(record(40_000, "last", "1")));
        topic.compareWhen("compacted", (partition, records) -> survivors(records, topic.active(partition), true));
    }

    private static void lag(Differential both) throws Exception {
        CompactionQuestions topic = new CompactionQuestions(both, "young", 1, Map.of("min.compaction.lag.ms", "3600000"));
        long now = System.currentTimeMillis();
        topic.write(0, Compression.NONE, List.of(record(0, "a", "1"), record(0, "a", "2")));
        topic.write(0, Compression.NONE, List.of(record(10_000, "b", "1"), record(10_000, "a", "3")));
        int young = topic.written.get(0).size();
        topic.write(0, Compression.NONE, List.of(record(now - START - 60_000, "a", "4"), record(now - START - 60_000, "a", "5")));
        topic.write(0, Compression.NONE, List.of(record(now - START - 50_000, "c", "1")));
        topic.compareWhen("compacted", (partition, records) -> survivors(records, young, true));
        // Once half of it is clean, a ratio of 0.9 is not reached: only that the oldest dirty record is too old starts a pass.
        CompactionQuestions overdue =
            new CompactionQuestions(both, "overdue", 1, Map.of("min.cleanable.dirty.ratio", "1.0", "max.compaction.lag.ms", "2000", "segment.ms", "604800000"));
        overdue.write(0, Compression.NONE, List.of(record(0, "a", "1"), record(0, "a", "2")));
        overdue.write(0, Compression.NONE, List.of(record(10_000, "b", "1")));
        overdue.compareWhen("compacted", (partition, records) -> survivors(records, overdue.active(partition), true));
    }

    private static SimpleRecord record(long after, String key, String value) {
        return new SimpleRecord(START + after, Clients.bytes(key), value == null ? null : Clients.bytes(value));
    }

    /** One batch, to both. */
    private void write(int partition, Compression codec, List<SimpleRecord> records) throws Exception {
        String batch = DataQuestions.encode(MemoryRecords.withRecords(codec, records.toArray(new SimpleRecord[0])));
        both.prepare(ApiKeys.PRODUCE, 12, DataQuestions.produceRequest(topic, partition, -1, batch));
        written.get(partition).addAll(records);
    }

    /** Where the active segment begins: with the first record a second or more behind the first of its segment. */
    private int active(int partition) {
        List<SimpleRecord> records = written.get(partition);
        int begin = 0;
        for (int i = 0; i < records.size(); i++) {
            if (records.get(i).timestamp() > records.get(begin).timestamp() + 1_000) {
                begin = i;
            }
        }
        return begin;
    }

    /** What compaction of the records below an offset leaves of all. */
    private static Map<Long, SimpleRecord> survivors(List<SimpleRecord> records, int end, boolean withTombstones) {
        Map<String, Integer> last = new HashMap<>();
        for (int i = 0; i < end; i++) {
            last.put(Clients.text(records.get(i).key().array()), i);
        }
        TreeSet<Integer> left = new TreeSet<>(last.values());
        if (!withTombstones) {
            left.removeIf(i -> records.get(i).value() == null);
        }
        for (int i = end; i < records.size(); i++) {
            left.add(i);
        }
        Map<Long, SimpleRecord> survivors = new TreeMap<>();
        left.forEach(i -> survivors.put((long) i, records.get(i)));
        return survivors;
    }

    private interface Expected {
        Map<Long, SimpleRecord> of(int partition, List<SimpleRecord> records);
    }

    /** Waits until both have left what they are to leave, and compares every record of both. */
    private void compareWhen(String when, Expected expected) throws Exception {
        for (int partition = 0; partition < written.size(); partition++) {
            List<String> wanted = new ArrayList<>();
            expected.of(partition, written.get(partition)).forEach((offset, record) -> wanted.add(line(offset, record.timestamp(),
                record.key().array(), record.value() == null ? null : record.value().array(), record.headers())));
            List<String> ofKafka = readUntil(both.kafka, partition, wanted);
            List<String> ofRingmill = readUntil(both.ringmill, partition, wanted);
            String where = topic + "-" + partition + " " + when;
            Cases.equal(where + ", records of Apache Kafka", wanted.size(), ofKafka.size());
            for (int i = 0; i < wanted.size(); i++) {
                Cases.equal(where + ", Apache Kafka", wanted.get(i), ofKafka.get(i));
            }
            Cases.equal(where + ", records of Ringmill", ofKafka.size(), ofRingmill.size());
            for (int i = 0; i < ofKafka.size(); i++) {
                Cases.equal(where + ", Ringmill", ofKafka.get(i), ofRingmill.get(i));
            }
        }
    }

    private List<String> readUntil(Peer peer, int partition, List<String> wanted) throws Exception {
        long until = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            List<String> found = read(peer, partition);
            if (found.equals(wanted) || System.nanoTime() > until) {
                return found;
            }
            Thread.sleep(100);
        }
    }

    private List<String> read(Peer peer, int partition) {
        TopicPartition from = new TopicPartition(topic, partition);
        List<String> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(peer.bootstrap())) {
            consumer.assign(List.of(from));
            consumer.seekToBeginning(List.of(from));
            long end = consumer.endOffsets(List.of(from)).get(from);
            while (consumer.position(from) < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(5)).records(from)) {
                    found.add(line(record.offset(), record.timestamp(), record.key(), record.value(), record.headers().toArray()));
                }
            }
        }
        return found;
    }

    private static String line(long offset, long timestamp, byte[] key, byte[] value, Header[] headers) {
        StringBuilder line = new StringBuilder().append(offset).append(' ').append(timestamp).append(' ').append(Clients.text(key)).append('=').append(Clients.text(value));
        for (Header header : headers) {
            line.append(' ').append(header.key()).append(':').append(Clients.text(header.value()));
        }
        return line.toString();
    }
}
