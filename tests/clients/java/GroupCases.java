import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/** Java consumers in groups, by the classic protocol, and what admin clients see of them. Argument: bootstrap. */
public final class GroupCases {
    static final int PARTITIONS = 6;
    static String bootstrap;

    private GroupCases() {
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        Cases cases = new Cases();
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            cases.run("a group grows, shrinks and loses nothing: " + assignor, () -> growsAndShrinks(assignor));
        }
        cases.run("a static member comes back and nobody else notices", GroupCases::staticMember);
        cases.run("a member that was replaced cannot commit", GroupCases::zombie);
        cases.run("offsets with metadata, committed and reset by an admin", GroupCases::adminOffsets);
        cases.run("groups are listed, described and deleted", GroupCases::adminGroups);
        System.exit(cases.status());
    }

    private static KafkaConsumer<byte[], byte[]> member(String group, String... more) {
        List<String> settings = new ArrayList<>(List.of("group.id", group, "group.protocol", "classic", "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "session.timeout.ms", "120000", "heartbeat.interval.ms", "500"));
        settings.addAll(Arrays.asList(more));
        return Clients.consumer(bootstrap, settings.toArray(new String[0]));
    }

    static void topic(String name, int records) throws Exception {
        try (Admin admin = Clients.admin(bootstrap)) {
            admin.createTopics(List.of(new NewTopic(name, PARTITIONS, (short) 1))).all().get();
        }
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                Clients.send(producer, new TopicPartition(name, partition), name + " " + partition, records);
            }
        }
    }

    interface Done {
        boolean is();
    }

    /** Polls all in turn until done; what came. */
    static Set<String> poll(List<KafkaConsumer<byte[], byte[]>> members, Done done) {
        Set<String> came = new HashSet<>();
        long deadline = System.nanoTime() + 240_000_000_000L;
        do {
            for (KafkaConsumer<byte[], byte[]> member : members) {
                for (ConsumerRecord<byte[], byte[]> record : member.poll(Duration.ofMillis(100))) {
                    came.add(Clients.text(record.value()));
                }
            }
            Cases.check("not done after 240 s", System.nanoTime() < deadline);
        } while (!done.is());
        return came;
    }

    /** A slow machine's members may have begun another rebalance by now: then they end it until done, and commit. What came meanwhile. */
    static Set<String> commit(List<KafkaConsumer<byte[], byte[]>> members, Done done) {
        Set<String> came = new HashSet<>();
        for (int tries = 0;; tries++) {
            try {
                members.forEach(KafkaConsumer::commitSync);
                return came;
            } catch (RebalanceInProgressException | CommitFailedException again) {
                Cases.check("the group does not settle", tries < 100);
                came.addAll(poll(members, done));
            }
        }
    }

    static boolean shared(List<KafkaConsumer<byte[], byte[]>> members) {
        Set<TopicPartition> all = new HashSet<>();
        int sum = 0;
        for (KafkaConsumer<byte[], byte[]> member : members) {
            if (member.assignment().size() != PARTITIONS / members.size()) {
                return false;
            }
            all.addAll(member.assignment());
            sum += member.assignment().size();
        }
        return sum == PARTITIONS && all.size() == PARTITIONS;
    }

    private static void growsAndShrinks(String assignor) throws Exception {
        String topic = "java-group-" + assignor;
        String[] settings = {"partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor};
        topic(topic, 100);
        List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
        Set<String> came = new TreeSet<>();
        for (int count = 1; count <= 3; count++) {
            members.add(member(topic, settings));
            members.get(count - 1).subscribe(List.of(topic));
            came.addAll(poll(members, () -> shared(members)));
            came.addAll(commit(members, () -> shared(members)));
        }
        while (members.size() > 1) {
            members.remove(0).close();
            came.addAll(poll(members, () -> shared(members)));
        }
        Done all = () -> shared(members) && position(members.get(0), topic) == 100L * PARTITIONS;
        came.addAll(poll(members, all));
        Cases.equal("records that came", 100 * PARTITIONS, came.size());
        commit(members, all);
        members.remove(0).close();
        try (KafkaConsumer<byte[], byte[]> next = member(topic, settings)) {
            next.subscribe(List.of(topic));
            Cases.equal("records that come again", Set.of(), poll(List.of(next), () -> shared(List.of(next))));
        }
    }

    static long position(KafkaConsumer<byte[], byte[]> member, String topic) {
        long sum = 0;
        for (TopicPartition partition : member.assignment()) {
            sum += member.position(partition);
        }
        return sum;
    }

    private static void staticMember() throws Exception {
        topic("java-static", 1);
        try (KafkaConsumer<byte[], byte[]> other = member("java-static")) {
            other.subscribe(List.of("java-static"));
            KafkaConsumer<byte[], byte[]> before = member("java-static", "group.instance.id", "one");
            before.subscribe(List.of("java-static"));
            poll(List.of(other, before), () -> shared(List.of(other, before)));
            int generation = other.groupMetadata().generationId();
            Set<TopicPartition> owned = before.assignment();
            before.close();
            KafkaConsumer<byte[], byte[]> after = member("java-static", "group.instance.id", "one");
            after.subscribe(List.of("java-static"));
            poll(List.of(other, after), () -> shared(List.of(other, after)));
            Cases.equal("its partitions", owned, after.assignment());
            Cases.equal("the generation", generation, other.groupMetadata().generationId());
            after.close();
        }
    }

    private static void zombie() throws Exception {
        topic("java-zombie", 1);
        KafkaConsumer<byte[], byte[]> first = member("java-zombie", "max.poll.interval.ms", "6000", "session.timeout.ms", "6000");
        first.subscribe(List.of("java-zombie"));
        poll(List.of(first), () -> shared(List.of(first)));
        KafkaConsumer<byte[], byte[]> second = member("java-zombie", "max.poll.interval.ms", "6000", "session.timeout.ms", "6000");
        second.subscribe(List.of("java-zombie"));
        poll(List.of(second), () -> second.assignment().size() == PARTITIONS);
        Cases.fails(CommitFailedException.class, () -> first.commitSync(Map.of(new TopicPartition("java-zombie", 0), new OffsetAndMetadata(1))));
        first.close(Duration.ZERO);
        second.close();
    }

    private static void adminOffsets() throws Exception {
        TopicPartition partition = new TopicPartition("java-static", 2);
        try (Admin admin = Clients.admin(bootstrap); KafkaConsumer<byte[], byte[]> consumer = member("java-offsets")) {
            consumer.assign(List.of(partition));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(1, java.util.Optional.of(0), "a note")));
            OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
            Cases.equal("offset", 1L, committed.offset());
            Cases.equal("metadata", "a note", committed.metadata());
            Cases.equal("leader epoch", java.util.Optional.of(0), committed.leaderEpoch());
            Map<TopicPartition, OffsetAndMetadata> reset = new HashMap<>();
            reset.put(partition, new OffsetAndMetadata(0));
            admin.alterConsumerGroupOffsets("java-offsets", reset).all().get();
            Cases.equal("after the reset", 0L,
                admin.listConsumerGroupOffsets("java-offsets").partitionsToOffsetAndMetadata().get().get(partition).offset());
            admin.deleteConsumerGroupOffsets("java-offsets", Set.of(partition)).all().get();
            Cases.equal("after the deletion", Map.of(), admin.listConsumerGroupOffsets("java-offsets").partitionsToOffsetAndMetadata().get());
        }
    }

    private static void adminGroups() throws Exception {
        try (Admin admin = Clients.admin(bootstrap); KafkaConsumer<byte[], byte[]> consumer = member("java-described", "client.id", "who")) {
            consumer.subscribe(List.of("java-static"));
            poll(List.of(consumer), () -> shared(List.of(consumer)));
            consumer.commitSync(Map.of(new TopicPartition("java-static", 0), new OffsetAndMetadata(1)));
            ConsumerGroupDescription described = admin.describeConsumerGroups(List.of("java-described")).all().get().get("java-described");
            Cases.equal("state", GroupState.STABLE, described.groupState());
            Cases.equal("assignor", "range", described.partitionAssignor());
            Cases.equal("members", 1, described.members().size());
            Cases.equal("client", "who", described.members().iterator().next().clientId());
            Cases.equal("host", "/127.0.0.1", described.members().iterator().next().host());
            Cases.equal("assignment", consumer.assignment(), described.members().iterator().next().assignment().topicPartitions());
            Cases.fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of("java-described")).all().get());
            Cases.fails(GroupSubscribedToTopicException.class,
                () -> admin.deleteConsumerGroupOffsets("java-described", Set.of(new TopicPartition("java-static", 0))).all().get());
            consumer.close();
            boolean listed = admin.listGroups().all().get().stream().anyMatch(group -> group.groupId().equals("java-described"));
            Cases.check("the group is not listed", listed);
            admin.deleteConsumerGroups(List.of("java-described")).all().get();
            Cases.fails(GroupIdNotFoundException.class, () -> {
                try {
                    admin.deleteConsumerGroups(List.of("java-described")).all().get();
                } catch (ExecutionException failure) {
                    throw (Exception) failure.getCause();
                }
            });
        }
    }
}
