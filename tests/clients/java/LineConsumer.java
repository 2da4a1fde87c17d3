import java.io.BufferedOutputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Writes the values of partition 0 of a topic to a file, each with a newline, from offset 0 until a number of records
 * has come; offsets must be dense. Gives up after two minutes without any. Arguments: bootstrap, topic, file, number of records.
 */
public final class LineConsumer {
    public static void main(String[] arguments) throws Exception {
        TopicPartition partition = new TopicPartition(arguments[1], 0);
        long end = Long.parseLong(arguments[3]);
        long next = 0;
        long lastProgress = System.nanoTime();
        try (OutputStream output = new BufferedOutputStream(Files.newOutputStream(Path.of(arguments[2])), 1 << 20);
            KafkaConsumer<byte[], byte[]> consumer = Clients.consumer(arguments[0], "reconnect.backoff.max.ms", "200",
                "auto.offset.reset", "none", "default.api.timeout.ms", "120000", "request.timeout.ms", "5000")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 0);
            while (next < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (record.offset() != next) {
                        throw new IllegalStateException("offset " + record.offset() + " came where " + next + " was due");
                    }
                    next++;
                    output.write(record.value());
                    output.write('\n');
                    lastProgress = System.nanoTime();
                }
                if (System.nanoTime() - lastProgress > 120_000_000_000L) {
                    throw new IllegalStateException("no record in two minutes after offset " + next);
                }
            }
        }
    }
}
