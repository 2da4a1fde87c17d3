import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes what a data directory may hold. Arguments: bootstrap, and one of
 *   everything   on Apache Kafka: all codecs, headers, transactions committed, aborted and left open, compaction, configurations,
 *                a log start that moved, topics altered and deleted, offsets committed
 *   records      on either broker: the same topics, records in all codecs, offsets committed
 *   more NAME    on either broker: records to what is there, a new topic NAME, a configuration
 */
public final class DirectoryWriter {
    private static final long TIME = 1_700_000_000_000L;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    private final String bootstrap;

    private DirectoryWriter(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] arguments) throws Exception {
        DirectoryWriter writer = new DirectoryWriter(arguments[0]);
        if (arguments[1].equals("everything")) {
            writer.everything();
        } else if (arguments[1].equals("records")) {
            writer.records();
        } else {
            writer.more(arguments[2]);
        }
        // An open transaction must stay open: nobody closes its producer.
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private KafkaProducer<byte[], byte[]> producer(String... more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("transaction.timeout.ms", "900000");
        for (int i = 0; i < more.length; i += 2) {
            properties.put(more[i], more[i + 1]);
        }
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static byte[] bytes(String text) {
        return text == null ? null : text.getBytes();
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, String key, String value, Header... headers) {
        return new ProducerRecord<>(topic, partition, time, bytes(key), bytes(value), List.of(headers));
    }

    private void everything() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            topics(admin);
            codecs();
            transactions();
            compacted();
            trimmed(admin);
            commits();
            admin.deleteTopics(List.of("gone")).all().get();
            admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(3))).all().get();
            alter(admin, ConfigResource.Type.BROKER, "", "log.retention.ms", "691200000");
            alter(admin, ConfigResource.Type.GROUP, "workers", "consumer.session.timeout.ms", "50000");
            alter(admin, ConfigResource.Type.TOPIC, "configured", "retention.ms", "-1");
        }
    }

    private void records() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            topics(admin);
            codecs();
            commits();
        }
    }

    private void topics(Admin admin) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        topics.add(new NewTopic("codecs", CODECS.size(), (short) 1));
        topics.add(new NewTopic("transactions", 2, (short) 1));
        topics.add(new NewTopic("compacted", 1, (short) 1).configs(Map.of("cleanup.policy", "compact", "segment.ms", "100",
            "min.cleanable.dirty.ratio", "0.01", "retention.ms", "-1")));
        topics.add(new NewTopic("trimmed", 1, (short) 1).configs(Map.of("retention.ms", "-1", "segment.bytes", "1048576")));
        topics.add(new NewTopic("configured", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime",
            "max.message.bytes", "2000000")));
        topics.add(new NewTopic("grown", 1, (short) 1).configs(Map.of("retention.ms", "-1")));
        topics.add(new NewTopic("empty", 2, (short) 1));
        topics.add(new NewTopic("gone", 1, (short) 1));
        admin.createTopics(topics).all().get();
        for (String old : List.of("codecs", "transactions")) {
            alter(admin, ConfigResource.Type.TOPIC, old, "retention.ms", "-1");
        }
    }

    private void alter(Admin admin, ConfigResource.Type type, String name, String key, String value) throws Exception {
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(op))).all().get();
    }

    private void codecs() {
        for (int partition = 0; partition < CODECS.size(); partition++) {
            try (KafkaProducer<byte[], byte[]> producer = producer("compression.type", CODECS.get(partition), "linger.ms", "20")) {
                for (int i = 0; i < 500; i++) {
                    String text = i % 17 == 0 ? null : "value " + i + " " + "x".repeat(i % 200);
                    Header[] headers = {new RecordHeader("h", bytes("a" + i)), new RecordHeader("h", bytes("b")), new RecordHeader("null", (byte[]) null)};
                    producer.send(record("codecs", partition, TIME + i * 10L, i % 5 == 0 ? null : "key " + i, text, headers));
                    if (i % 50 == 49) {
                        producer.flush();
                    }
                }
            }
            try (KafkaProducer<byte[], byte[]> producer = producer("compression.type", CODECS.get(partition), "enable.idempotence", "false")) {
                producer.send(record("configured", 0, TIME, null, "stamped on arrival"));
                producer.send(record("grown", 0, TIME, "k", "grown " + partition));
            }
        }
    }

    /** Interleaved: committed, aborted, plain, and at last one that nobody ends. */
    private void transactions() {
        for (int round = 0; round < 3; round++) {
            KafkaProducer<byte[], byte[]> committing = producer("transactional.id", "committing");
            KafkaProducer<byte[], byte[]> aborting = producer("transactional.id", "aborting", "compression.type", "zstd");
            committing.initTransactions();
            aborting.initTransactions();
            committing.beginTransaction();
            aborting.beginTransaction();
            for (int i = 0; i < 20; i++) {
                committing.send(record("transactions", i % 2, TIME + i, "c", "committed " + round + " " + i));
                aborting.send(record("transactions", i % 2, TIME + i, "a", "aborted " + round + " " + i));
                committing.flush();
                aborting.flush();
            }
            aborting.abortTransaction();
            committing.commitTransaction();
            committing.close();
            aborting.close();
            plain("plain " + round);
        }
        KafkaProducer<byte[], byte[]> open = producer("transactional.id", "open");
        open.initTransactions();
        open.beginTransaction();
        open.send(record("transactions", 0, TIME, "o", "open"));
        open.flush();
        plain("behind the open one");
    }

    private void plain(String value) {
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            producer.send(record("transactions", 0, TIME, "p", value));
            producer.send(record("transactions", 1, TIME, "p", value));
        }
    }

    private void compacted() throws Exception {
        long now = System.currentTimeMillis();
        for (int round = 0; round < 4; round++) {
            try (KafkaProducer<byte[], byte[]> producer = producer("linger.ms", "20")) {
                for (int i = 0; i < 200; i++) {
                    String value = i % 10 == 0 && round == 3 ? null : "round " + round + " of " + i;
                    producer.send(record("compacted", 0, now + round * 1000L, "key " + i % 100, value));
                }
            }
            Thread.sleep(150);
        }
        TopicPartition partition = new TopicPartition("compacted", 0);
        for (int tries = 0; count(partition) > 400; tries++) {
            if (tries == 2000) {
                throw new IllegalStateException("nothing was compacted");
            }
            Thread.sleep(100);
        }
    }

    private int count(TopicPartition partition) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            int count = 0;
            while (consumer.position(partition) < end) {
                count += consumer.poll(Duration.ofMillis(200)).count();
            }
            return count;
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", "readers");
        properties.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void trimmed(Admin admin) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer("linger.ms", "5")) {
            for (int i = 0; i < 3000; i++) {
                producer.send(record("trimmed", 0, TIME + i, null, i + " " + "y".repeat(1000)));
            }
        }
        admin.deleteRecords(Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(1234))).all().get();
    }

    private void commits() {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.commitSync(Map.of(new TopicPartition("codecs", 0), new OffsetAndMetadata(42, "here")));
        }
    }

    private void more(String name) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(name, 2, (short) 1).configs(Map.of("retention.ms", "-1")))).all().get();
            alter(admin, ConfigResource.Type.TOPIC, "empty", "retention.ms", "86400000");
            try (KafkaProducer<byte[], byte[]> producer = producer("compression.type", "lz4", "linger.ms", "5")) {
                for (int i = 0; i < 300; i++) {
                    producer.send(record(name, i % 2, TIME + i, "k" + i, name + " " + i, new RecordHeader("h", bytes("v"))));
                    producer.send(record("codecs", i % CODECS.size(), TIME + i, "k" + i, name + " " + i));
                    producer.send(record("transactions", i % 2, TIME + i, "m", name + " " + i));
                    producer.send(record("trimmed", 0, TIME + i, null, name + " " + i + "z".repeat(1000)));
                }
            }
        }
    }
}
