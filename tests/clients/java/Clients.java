import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Makes the Java clients under test, with Kafka's default settings save what a test overrides ("key", "value", ...). */
final class Clients {
    private Clients() {
    }

    static Map<String, Object> settings(String bootstrap, String... overrides) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < overrides.length; i += 2) {
            settings.put(overrides[i], overrides[i + 1]);
        }
        return settings;
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, String... overrides) {
        return new KafkaProducer<>(settings(bootstrap, overrides), new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String... overrides) {
        return new KafkaConsumer<>(settings(bootstrap, overrides), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static Admin admin(String bootstrap) {
        return Admin.create(settings(bootstrap, "request.timeout.ms", "60000", "default.api.timeout.ms", "120000"));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    /** Sends count records "PREFIX i" and waits for every acknowledgement. */
    static List<RecordMetadata> send(KafkaProducer<byte[], byte[]> producer, TopicPartition to, String prefix, int count) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sent.add(producer.send(new ProducerRecord<>(to.topic(), to.partition(), null, bytes(prefix + " " + i))));
        }
        List<RecordMetadata> acknowledged = new ArrayList<>();
        for (Future<RecordMetadata> one : sent) {
            acknowledged.add(one.get());
        }
        return acknowledged;
    }

    /** Polls until count records have come; fails after two minutes without any. */
    static List<ConsumerRecord<byte[], byte[]>> receive(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        while (records.size() < count) {
            int before = records.size();
            consumer.poll(Duration.ofMinutes(2)).forEach(records::add);
            Cases.check("no record in two minutes after " + before + " of " + count, records.size() > before);
        }
        return records;
    }
}
