import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * A word count by Kafka Streams: a stateful topology with a repartition topic and a changelog, whose counts must be those of the text, and twice those
 * when a second life has counted it again on the state of the first. Arguments: bootstrap, directory, processing guarantee, which life.
 */
public final class StreamsCases {
    private static final int PARTITIONS = 3;
    private static String bootstrap;
    private static String guarantee;
    private static Path state;
    private static Path text;
    private static int life;

    private StreamsCases() {
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        text = Path.of(args[1], "text");
        guarantee = args[2];
        life = Integer.parseInt(args[3]);
        // The first life's state is out of reach: it comes back from the changelog.
        state = Path.of(args[1], "streams-" + guarantee + "-" + life);
        Cases cases = new Cases();
        cases.run("Streams, " + guarantee + ": words are counted, life " + life, StreamsCases::counts);
        System.exit(cases.status());
    }

    private static String topic(String of) {
        return of + "-" + guarantee;
    }

    private static List<String> words(String line) {
        return Arrays.stream(line.toLowerCase(Locale.ROOT).split("[^a-z]+")).filter(word -> !word.isEmpty()).toList();
    }

    private static Map<String, Long> truth(List<String> lines) {
        Map<String, Long> counts = new HashMap<>();
        lines.forEach(line -> words(line).forEach(word -> counts.merge(word, (long) life, Long::sum)));
        return counts;
    }

    private static void counts() throws Exception {
        List<String> lines = Files.readAllLines(text);
        if (life == 1) {
            try (Admin admin = Clients.admin(bootstrap)) {
                admin.createTopics(List.of(new NewTopic(topic("text"), PARTITIONS, (short) 1), new NewTopic(topic("counts"), PARTITIONS, (short) 1)))
                    .all().get();
            }
        }
        KafkaStreams streams = new KafkaStreams(topology(), settings());
        try {
            streams.start();
            try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap, "linger.ms", "5")) {
                lines.forEach(line -> producer.send(new ProducerRecord<>(topic("text"), Clients.bytes(line))));
            }
            await(truth(lines));
        } finally {
            // Else the next life waits for the session of this one to end.
            streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)
                .withTimeout(Duration.ofSeconds(60)));
        }
    }

    private static org.apache.kafka.streams.Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(topic("text"))
            .flatMapValues(StreamsCases::words)
            .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as("counted"))
            .toStream()
            .to(topic("counts"), Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    private static Properties settings() {
        Properties settings = new Properties();
        settings.put("application.id", "word-count-" + guarantee);
        settings.put("bootstrap.servers", bootstrap);
        settings.put("processing.guarantee", guarantee);
        settings.put("default.key.serde", Serdes.StringSerde.class);
        settings.put("default.value.serde", Serdes.StringSerde.class);
        settings.put("num.stream.threads", "2");
        settings.put("commit.interval.ms", "200");
        settings.put("state.dir", state.toString());
        settings.put("consumer.auto.offset.reset", "earliest");
        return settings;
    }

    /** Reads the counts until each word's last one is right; one that is too high never goes away. */
    private static void await(Map<String, Long> truth) {
        Map<String, Long> seen = new HashMap<>();
        long deadline = System.nanoTime() + 120_000_000_000L;
        try (KafkaConsumer<byte[], byte[]> reader = Clients.consumer(bootstrap, "isolation.level", "read_committed");
            LongDeserializer numbers = new LongDeserializer()) {
            List<TopicPartition> all = reader.partitionsFor(topic("counts")).stream()
                .map(partition -> new TopicPartition(partition.topic(), partition.partition())).toList();
            reader.assign(all);
            reader.seekToBeginning(all);
            while (!seen.equals(truth)) {
                for (ConsumerRecord<byte[], byte[]> record : reader.poll(Duration.ofMillis(200))) {
                    String word = Clients.text(record.key());
                    long count = numbers.deserialize(null, record.value());
                    Cases.check(word + " was counted " + count + " times", count <= truth.getOrDefault(word, 0L));
                    seen.put(word, count);
                }
                Cases.check("not done after 120 s: " + seen.size() + " of " + truth.size() + " words were counted", System.nanoTime() < deadline);
            }
        }
    }
}
