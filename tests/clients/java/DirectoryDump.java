import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Writes all that a client can see of a broker's data to a file: topics with ids and configurations, a group's committed offsets, and each
 * partition's offsets and records, read uncommitted and read committed. Two brokers with the same data give the same file. Arguments: bootstrap, file.
 */
public final class DirectoryDump {
    public static void main(String[] arguments) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]));
            PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(arguments[1])))) {
            TreeSet<String> names = new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
            Map<String, TopicDescription> described = new TreeMap<>(admin.describeTopics(names).allTopicNames().get());
            configs(admin, out, ConfigResource.Type.BROKER, List.of(""));
            configs(admin, out, ConfigResource.Type.TOPIC, List.copyOf(names));
            configs(admin, out, ConfigResource.Type.GROUP, List.of("workers"));
            List<TopicPartition> partitions = new ArrayList<>();
            for (TopicDescription topic : described.values()) {
                out.printf("topic %s %s internal=%s partitions=%d%n", topic.name(), topic.topicId(), topic.isInternal(), topic.partitions().size());
                topic.partitions().forEach(p -> {
                    out.printf("  %d leader=%s isr=%d%n", p.partition(), p.leader() == null ? "none" : p.leader().idString(), p.isr().size());
                    partitions.add(new TopicPartition(topic.name(), p.partition()));
                });
            }
            TreeSet<String> committed = new TreeSet<>();
            admin.listConsumerGroupOffsets("readers").partitionsToOffsetAndMetadata().get()
                .forEach((partition, offset) -> committed.add(partition + " at " + offset.offset() + " '" + offset.metadata() + "'"));
            committed.forEach(one -> out.printf("committed by readers: %s%n", one));
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                records(arguments[0], isolation, partitions, out);
            }
        }
    }

    private static void configs(Admin admin, PrintWriter out, ConfigResource.Type type, List<String> names) throws Exception {
        List<ConfigResource> resources = names.stream().map(name -> new ConfigResource(type, name)).toList();
        Map<ConfigResource, Config> found = admin.describeConfigs(resources).all().get();
        for (ConfigResource resource : resources) {
            TreeMap<String, String> set = new TreeMap<>();
            for (ConfigEntry entry : found.get(resource).entries()) {
                if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_GROUP_CONFIG
                    || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG && type == ConfigResource.Type.BROKER) {
                    set.put(entry.name(), entry.value());
                }
            }
            out.printf("configs %s '%s' %s%n", type, resource.name(), set);
        }
    }

    private static void records(String bootstrap, String isolation, List<TopicPartition> partitions, PrintWriter out) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("isolation.level", isolation);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "none");
        properties.put("fetch.max.wait.ms", "50");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<TopicPartition, Long> starts = consumer.beginningOffsets(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            for (TopicPartition partition : partitions) {
                out.printf("%s %s from %d to %d%n", isolation, partition, starts.get(partition), ends.get(partition));
                if (ends.get(partition).equals(starts.get(partition))) {
                    continue;
                }
                consumer.assign(List.of(partition));
                consumer.seek(partition, starts.get(partition));
                long lastProgress = System.nanoTime();
                while (consumer.position(partition) < ends.get(partition)) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                        lastProgress = System.nanoTime();
                        out.println(line(record));
                    }
                    if (System.nanoTime() - lastProgress > 240_000_000_000L) {
                        throw new IllegalStateException(isolation + " " + partition + ": no record in 240 s at " + consumer.position(partition));
                    }
                }
            }
        }
    }

    private static String line(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder();
        line.append(record.offset()).append(' ').append(record.timestampType()).append(' ').append(record.timestamp());
        line.append(" epoch ").append(record.leaderEpoch().orElse(-1)).append(' ').append(text(record.key())).append(' ').append(text(record.value()));
        for (Header header : record.headers()) {
            line.append(' ').append(header.key()).append('=').append(text(header.value()));
        }
        return line.toString();
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "null" : Base64.getEncoder().encodeToString(bytes);
    }
}
