import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Sends a file line by line to partition 0 of a topic by an idempotent producer and prints each percent of its lines
 * as it is acknowledged. Arguments: bootstrap, topic, file, compression type.
 */
public final class LineProducer {
    private final AtomicLong acknowledged = new AtomicLong();
    private final AtomicReference<Exception> problem = new AtomicReference<>();
    private final String topic;
    private final long lines;

    private LineProducer(String topic, long lines) {
        this.topic = topic;
        this.lines = lines;
    }

    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[2]);
        long lines;
        try (InputStream input = new BufferedInputStream(Files.newInputStream(file), 1 << 20)) {
            lines = count(input);
        }
        LineProducer producer = new LineProducer(arguments[1], lines);
        try (InputStream input = new BufferedInputStream(Files.newInputStream(file), 1 << 20);
            KafkaProducer<byte[], byte[]> client = Clients.producer(arguments[0], "compression.type", arguments[3], "linger.ms", "5",
                "batch.size", "65536", "delivery.timeout.ms", "300000", "request.timeout.ms", "5000", "max.block.ms", "120000",
                "reconnect.backoff.max.ms", "200", "retry.backoff.max.ms", "200")) {
            producer.send(input, client);
        }
        if (producer.problem.get() != null || producer.acknowledged.get() != lines) {
            System.err.println("acknowledged " + producer.acknowledged.get() + " of " + lines + ": " + producer.problem.get());
            System.exit(1);
        }
    }

    private static long count(InputStream input) throws Exception {
        long lines = 0;
        for (int next = input.read(); next >= 0; next = input.read()) {
            lines += next == '\n' ? 1 : 0;
        }
        return lines;
    }

    private void send(InputStream input, KafkaProducer<byte[], byte[]> client) throws Exception {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next = input.read(); next >= 0 && problem.get() == null; next = input.read()) {
            if (next != '\n') {
                line.write(next);
                continue;
            }
            client.send(new ProducerRecord<>(topic, 0, null, line.toByteArray()), (metadata, failure) -> done(metadata.offset(), failure));
            line.reset();
        }
    }

    /** Runs on the producer's own thread, in the order of acknowledgements; record n of the file must get offset n. */
    private void done(long offset, Exception failure) {
        if (failure != null) {
            problem.compareAndSet(null, failure);
            return;
        }
        long expected = acknowledged.getAndIncrement();
        if (offset != expected) {
            problem.compareAndSet(null, new IllegalStateException("line " + expected + " was acknowledged with offset " + offset));
        }
        long percent = (expected + 1) * 100 / lines;
        if (percent != expected * 100 / lines) {
            System.out.println(percent);
        }
    }
}
