import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Java producers with transactions and consumers that read committed records, and what admin clients see of them. Argument: bootstrap. */
public final class TransactionCases {
    private static String bootstrap;

    private TransactionCases() {
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        Cases cases = new Cases();
        cases.run("committed records are read, aborted ones are not", TransactionCases::commitsAndAborts);
        cases.run("a transaction over several partitions shows at once", TransactionCases::isolation);
        cases.run("consume, transform and produce, each record exactly once", TransactionCases::exactlyOnce);
        cases.run("a producer that was replaced is fenced", TransactionCases::fencing);
        cases.run("a transaction that takes too long is aborted", TransactionCases::timesOut);
        cases.run("transactions are listed, described and aborted by an admin", TransactionCases::administration);
        System.exit(cases.status());
    }

    private static void topic(String name, int partitions) throws Exception {
        try (Admin admin = Clients.admin(bootstrap)) {
            admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String id, String... more) {
        List<String> settings = new ArrayList<>(List.of("transactional.id", id));
        settings.addAll(List.of(more));
        KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap, settings.toArray(new String[0]));
        producer.initTransactions();
        return producer;
    }

    private static KafkaConsumer<byte[], byte[]> committed(String group) {
        return Clients.consumer(bootstrap, "group.id", group, "group.protocol", "classic", "isolation.level", "read_committed",
            "auto.offset.reset", "earliest", "enable.auto.commit", "false", "max.poll.records", "50");
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, int partition, String value) {
        producer.send(new ProducerRecord<>(topic, partition, null, Clients.bytes(value)));
    }

    /** All records that a reader of committed ones can have now, in order of partitions. */
    private static List<String> read(String topic, int partitions) {
        try (KafkaConsumer<byte[], byte[]> consumer = committed("reader")) {
            List<TopicPartition> all = new ArrayList<>();
            for (int partition = 0; partition < partitions; partition++) {
                all.add(new TopicPartition(topic, partition));
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            Map<Integer, List<String>> found = new HashMap<>();
            long deadline = System.nanoTime() + 60_000_000_000L;
            while (all.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    found.computeIfAbsent(record.partition(), key -> new ArrayList<>()).add(Clients.text(record.value()));
                }
                Cases.check("not at the end after 60 s", System.nanoTime() < deadline);
            }
            List<String> values = new ArrayList<>();
            all.forEach(partition -> values.addAll(found.getOrDefault(partition.partition(), List.of())));
            return values;
        }
    }

    private static void commitsAndAborts() throws Exception {
        topic("txn-basic", 1);
        List<String> expected = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer("basic")) {
            for (int round = 0; round < 20; round++) {
                producer.beginTransaction();
                for (int i = 0; i < 5; i++) {
                    send(producer, "txn-basic", 0, round + "." + i);
                    if (round % 3 != 1) {
                        expected.add(round + "." + i);
                    }
                }
                if (round % 3 == 1) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        Cases.equal("committed records", expected, read("txn-basic", 1));
    }

    private static void isolation() throws Exception {
        topic("txn-open", 3);
        try (KafkaProducer<byte[], byte[]> producer = producer("open"); KafkaProducer<byte[], byte[]> plain = Clients.producer(bootstrap)) {
            producer.beginTransaction();
            for (int partition = 0; partition < 3; partition++) {
                send(producer, "txn-open", partition, "in transaction " + partition);
            }
            producer.flush();
            Clients.send(plain, new TopicPartition("txn-open", 0), "behind", 1);
            Cases.equal("records while it is open", List.of(), read("txn-open", 3));
            producer.commitTransaction();
        }
        List<String> all = List.of("in transaction 0", "behind 0", "in transaction 1", "in transaction 2");
        Cases.equal("records when it is committed", all, read("txn-open", 3));
    }

    private static void exactlyOnce() throws Exception {
        topic("txn-in", 2);
        topic("txn-out", 2);
        Set<String> expected = new TreeSet<>();
        try (KafkaProducer<byte[], byte[]> plain = Clients.producer(bootstrap)) {
            for (int partition = 0; partition < 2; partition++) {
                Clients.send(plain, new TopicPartition("txn-in", partition), "in " + partition, 200);
                for (int i = 0; i < 200; i++) {
                    expected.add("out of in " + partition + " " + i);
                }
            }
        }
        int done = 0;
        for (int life = 0; done < 400; life++) {
            Cases.check("not done after 30 lives", life < 30);
            done += transform(life, 400 - done);
        }
        List<String> out = read("txn-out", 2);
        Cases.equal("records that came", 400, out.size());
        Cases.equal("records", expected, new TreeSet<>(out));
    }

    /** Some transactions, the last of which is given up with its offsets; how many records were committed. */
    private static int transform(int life, int left) {
        int done = 0;
        try (KafkaConsumer<byte[], byte[]> consumer = committed("txn-group"); KafkaProducer<byte[], byte[]> producer = producer("transform")) {
            consumer.subscribe(List.of("txn-in"));
            for (int transaction = 0, idle = 0; (transaction < 3 || life >= 2) && done < left && idle < 100;) {
                var records = consumer.poll(Duration.ofMillis(100));
                if (records.isEmpty()) {
                    idle++;
                    continue;
                }
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    send(producer, "txn-out", record.partition(), "out of " + Clients.text(record.value()));
                    offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (++transaction == 3 && life < 2) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    done += records.count();
                }
            }
            consumer.unsubscribe();
        }
        return done;
    }

    private static void fencing() throws Exception {
        topic("txn-fenced", 1);
        KafkaProducer<byte[], byte[]> zombie = producer("fenced");
        zombie.beginTransaction();
        send(zombie, "txn-fenced", 0, "of the zombie");
        zombie.flush();
        try (KafkaProducer<byte[], byte[]> next = producer("fenced")) {
            next.beginTransaction();
            send(next, "txn-fenced", 0, "of the next");
            next.commitTransaction();
        }
        Throwable error = Cases.fails(KafkaException.class, () -> {
            zombie.send(new ProducerRecord<>("txn-fenced", 0, null, Clients.bytes("late"))).get();
            zombie.commitTransaction();
        });
        while (error != null && !(error instanceof ProducerFencedException || error instanceof InvalidProducerEpochException)) {
            error = error.getCause();
        }
        Cases.check("the zombie is told that it is one", error != null);
        zombie.close(Duration.ZERO);
        Cases.equal("committed records", List.of("of the next"), read("txn-fenced", 1));
    }

    private static void timesOut() throws Exception {
        topic("txn-slow", 1);
        try (KafkaProducer<byte[], byte[]> producer = producer("slow", "transaction.timeout.ms", "1000"); Admin admin = Clients.admin(bootstrap)) {
            producer.beginTransaction();
            send(producer, "txn-slow", 0, "late");
            producer.flush();
            until("it is aborted", () -> describe(admin, "slow").state() == TransactionState.COMPLETE_ABORT);
            Cases.fails(KafkaException.class, producer::commitTransaction);
        }
        Cases.equal("committed records", List.of(), read("txn-slow", 1));
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private static void until(String what, Condition condition) throws Exception {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!condition.holds()) {
            Cases.check("not within 60 s: " + what, System.nanoTime() < deadline);
            Thread.sleep(50);
        }
    }

    private static TransactionDescription describe(Admin admin, String id) throws ExecutionException, InterruptedException {
        return admin.describeTransactions(List.of(id)).description(id).get();
    }

    private static void administration() throws Exception {
        topic("txn-admin", 1);
        TopicPartition partition = new TopicPartition("txn-admin", 0);
        KafkaProducer<byte[], byte[]> producer = producer("admin");
        try (Admin admin = Clients.admin(bootstrap)) {
            producer.beginTransaction();
            send(producer, "txn-admin", 0, "hanging");
            producer.flush();
            TransactionDescription description = describe(admin, "admin");
            Cases.equal("state", TransactionState.ONGOING, description.state());
            Cases.equal("partitions", Set.of(partition), description.topicPartitions());
            Set<String> ongoing = new TreeSet<>();
            ListTransactionsOptions options = new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING)).filterOnTransactionalIdPattern("ad.*");
            for (TransactionListing listing : admin.listTransactions(options).all().get()) {
                ongoing.add(listing.transactionalId());
            }
            Cases.equal("ongoing transactions", Set.of("admin"), ongoing);
            ProducerState state = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
            Cases.equal("the transaction's start", 0L, state.currentTransactionStartOffset().getAsLong());
            Cases.equal("the producer", description.producerId(), state.producerId());
            admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(), (short) (state.producerEpoch()),
                Math.max(0, state.coordinatorEpoch().orElse(0)))).all().get();
            var after = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
            Cases.check("no transaction is open", after.currentTransactionStartOffset().isEmpty());
        }
        producer.close(Duration.ZERO);
        Cases.equal("committed records", List.of(), read("txn-admin", 1));
    }
}
