import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

/**
 * Java consumers by the consumer protocol (KIP-848). Arguments: bootstrap, and a directory: when the file "kill" is there, the caller kills the broker,
 * starts it again and makes the file "again".
 */
public final class ConsumerGroupCases {
    private static final int PARTITIONS = GroupCases.PARTITIONS;
    private static String bootstrap;

    private ConsumerGroupCases() {
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        GroupCases.bootstrap = args[0];
        Cases cases = new Cases();
        for (String assignor : List.of("uniform", "range")) {
            cases.run("a consumer group grows, shrinks and loses nothing: " + assignor, () -> growsAndShrinks(assignor));
        }
        cases.run("a static member comes back and nobody else notices", ConsumerGroupCases::staticMember);
        cases.run("topics by a regular expression", ConsumerGroupCases::pattern);
        cases.run("an assignor or an expression that is none", ConsumerGroupCases::refused);
        cases.run("a consumer group is listed, described and deleted", ConsumerGroupCases::administration);
        cases.run("a group goes from classic to consumer members and back while they run", ConsumerGroupCases::migration);
        cases.run("members and their offsets outlive the broker's death", () -> death(Path.of(args[1])));
        System.exit(cases.status());
    }

    /** A member, and what it was told. */
    private static final class Member implements ConsumerRebalanceListener {
        final KafkaConsumer<byte[], byte[]> consumer;
        final Map<TopicPartition, Member> owners;
        int taken;

        Member(Map<TopicPartition, Member> owners, String group, String protocol, String... more) {
            List<String> settings = new ArrayList<>(List.of("group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
            if (protocol.equals("classic")) {
                settings.addAll(List.of("session.timeout.ms", "120000", "heartbeat.interval.ms", "500"));
            }
            settings.addAll(Arrays.asList(more));
            this.consumer = Clients.consumer(bootstrap, settings.toArray(new String[0]));
            this.owners = owners;
        }

        Member on(String topic) {
            consumer.subscribe(List.of(topic), this);
            return this;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            for (TopicPartition partition : partitions) {
                Member other = owners.put(partition, this);
                Cases.check(partition + " is given to two at one time", other == null || other == this);
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            taken += partitions.size();
            partitions.forEach(partition -> owners.remove(partition, this));
        }
    }

    private static List<KafkaConsumer<byte[], byte[]>> consumers(List<Member> members) {
        return members.stream().map(member -> member.consumer).toList();
    }

    private static Member member(String group, String... more) {
        return new Member(new HashMap<>(), group, "consumer", more);
    }

    private static void growsAndShrinks(String assignor) throws Exception {
        String topic = "java-new-group-" + assignor;
        GroupCases.topic(topic, 100);
        Map<TopicPartition, Member> owners = new HashMap<>();
        List<Member> members = new ArrayList<>();
        Set<String> came = new TreeSet<>();
        for (int count = 1; count <= 3; count++) {
            members.add(new Member(owners, topic, "consumer", "group.remote.assignor", assignor).on(topic));
            GroupCases.Done shared = () -> GroupCases.shared(consumers(members));
            came.addAll(GroupCases.poll(consumers(members), shared));
            came.addAll(GroupCases.commit(consumers(members), shared));
            if (count == 2 && assignor.equals("uniform")) {
                Cases.equal("partitions that the first gave up for the second", PARTITIONS / 2, members.get(0).taken);
            }
        }
        while (members.size() > 1) {
            members.remove(0).consumer.close();
            came.addAll(GroupCases.poll(consumers(members), () -> GroupCases.shared(consumers(members))));
        }
        GroupCases.Done all = () -> GroupCases.shared(consumers(members)) && GroupCases.position(members.get(0).consumer, topic) == 100L * PARTITIONS;
        came.addAll(GroupCases.poll(consumers(members), all));
        Cases.equal("records that came", 100 * PARTITIONS, came.size());
        GroupCases.commit(consumers(members), all);
        members.remove(0).consumer.close();
        try (KafkaConsumer<byte[], byte[]> next = member(topic).on(topic).consumer) {
            Cases.equal("records that come again", Set.of(), GroupCases.poll(List.of(next), () -> GroupCases.shared(List.of(next))));
        }
    }

    private static void staticMember() throws Exception {
        GroupCases.topic("java-new-static", 1);
        Member other = member("java-new-static").on("java-new-static");
        Member before = member("java-new-static", "group.instance.id", "one").on("java-new-static");
        GroupCases.poll(consumers(List.of(other, before)), () -> GroupCases.shared(consumers(List.of(other, before))));
        int taken = other.taken;
        int epoch = other.consumer.groupMetadata().generationId();
        Set<TopicPartition> owned = before.consumer.assignment();
        before.consumer.close();
        Member after = member("java-new-static", "group.instance.id", "one").on("java-new-static");
        GroupCases.poll(consumers(List.of(other, after)), () -> GroupCases.shared(consumers(List.of(other, after))));
        Cases.equal("its partitions", owned, after.consumer.assignment());
        Cases.equal("partitions that the other gave up", taken, other.taken);
        Cases.equal("the other's epoch", epoch, other.consumer.groupMetadata().generationId());
        after.consumer.close();
        other.consumer.close();
    }

    private static void pattern() throws Exception {
        GroupCases.topic("java-pattern-a", 1);
        GroupCases.topic("java-pattern-b", 1);
        GroupCases.topic("java-other-pattern", 1);
        try (KafkaConsumer<byte[], byte[]> consumer = member("java-pattern").consumer) {
            consumer.subscribe(new SubscriptionPattern("java-pattern-[a-z]"));
            Set<String> came = GroupCases.poll(List.of(consumer), () -> GroupCases.position(consumer, "java-pattern") == 2L * PARTITIONS);
            Set<String> topics = new TreeSet<>();
            consumer.assignment().forEach(partition -> topics.add(partition.topic()));
            Cases.equal("topics", Set.of("java-pattern-a", "java-pattern-b"), topics);
            Cases.equal("records that came", 2 * PARTITIONS, came.size());
        }
    }

    private static void refused() {
        try (KafkaConsumer<byte[], byte[]> consumer = member("java-refused", "group.remote.assignor", "sticky").on("java-new-static").consumer) {
            Cases.fails(UnsupportedAssignorException.class, () -> GroupCases.poll(List.of(consumer), () -> false));
        }
        try (KafkaConsumer<byte[], byte[]> consumer = member("java-refused").consumer) {
            consumer.subscribe(new SubscriptionPattern("(a"));
            Cases.fails(InvalidRegularExpression.class, () -> GroupCases.poll(List.of(consumer), () -> false));
        }
    }

    private static void administration() throws Exception {
        String group = "java-new-described";
        GroupCases.topic(group, 1);
        try (Admin admin = Clients.admin(bootstrap)) {
            Member member = member(group, "client.id", "who").on(group);
            List<KafkaConsumer<byte[], byte[]>> alone = List.of(member.consumer);
            GroupCases.poll(alone, () -> GroupCases.shared(alone) && GroupCases.position(member.consumer, group) == PARTITIONS);
            GroupCases.commit(alone, () -> GroupCases.shared(alone));
            ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            Cases.equal("type", GroupType.CONSUMER, described.type());
            Cases.equal("state", GroupState.STABLE, described.groupState());
            Cases.equal("assignor", "uniform", described.partitionAssignor());
            Cases.equal("members", 1, described.members().size());
            Cases.equal("client", "who", described.members().iterator().next().clientId());
            Cases.equal("assignment", member.consumer.assignment(), described.members().iterator().next().assignment().topicPartitions());
            Cases.equal("target", member.consumer.assignment(), described.members().iterator().next().targetAssignment().get().topicPartitions());
            Cases.equal("committed", (long) PARTITIONS, admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values().stream()
                .mapToLong(offset -> offset.offset()).sum());
            Cases.fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            Cases.check("it is listed by type", isListed(admin, group, GroupType.CONSUMER));
            Cases.check("it is listed by another type", !isListed(admin, group, GroupType.CLASSIC));
            member.consumer.close();
            admin.deleteConsumerGroups(List.of(group)).all().get();
            Cases.fails(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(group)).all().get());
        }
    }

    private static boolean isListed(Admin admin, String group, GroupType type) throws Exception {
        return admin.listGroups(new ListGroupsOptions().withTypes(Set.of(type))).all().get().stream().anyMatch(listed -> listed.groupId().equals(group));
    }

    private static void send(String topic, int round) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                Clients.send(producer, new TopicPartition(topic, partition), "round " + round + " of " + partition, 20);
            }
        }
    }

    /** Members of both kinds come and go; the listeners see that no partition has two owners. */
    private static void migration() throws Exception {
        String topic = "java-migration";
        GroupCases.topic(topic, 20);
        Map<TopicPartition, Member> owners = new HashMap<>();
        List<Member> members = new ArrayList<>();
        Set<String> came = new HashSet<>();
        GroupCases.Done shared = () -> GroupCases.shared(consumers(members));
        int round = 0;
        for (String change : List.of("+classic", "+classic", "+consumer", "-", "-", "+consumer", "+classic", "-", "-")) {
            if (change.equals("-")) {
                Member gone = members.remove(0);
                gone.consumer.close();
                owners.values().removeIf(owner -> owner == gone);
            } else {
                members.add(new Member(owners, topic, change.substring(1)).on(topic));
            }
            send(topic, round++);
            came.addAll(GroupCases.poll(consumers(members), shared));
            came.addAll(GroupCases.commit(consumers(members), shared));
        }
        try (Admin admin = Clients.admin(bootstrap)) {
            Cases.equal("type at last", GroupType.CLASSIC, admin.describeConsumerGroups(List.of(topic)).all().get().get(topic).type());
        }
        long end = 20L * (round + 1) * PARTITIONS;
        came.addAll(GroupCases.poll(consumers(members), () -> shared.is() && GroupCases.position(members.get(0).consumer, topic) == end));
        Cases.equal("records that came", end, (long) came.size());
        members.forEach(member -> member.consumer.close());
    }

    private static void death(Path directory) throws Exception {
        String topic = "java-death";
        GroupCases.topic(topic, 20);
        Map<TopicPartition, Member> owners = new HashMap<>();
        List<Member> members = List.of(new Member(owners, topic, "consumer").on(topic), new Member(owners, topic, "consumer").on(topic));
        List<KafkaConsumer<byte[], byte[]>> both = consumers(members);
        GroupCases.Done all = () -> GroupCases.shared(both) && both.stream().mapToLong(one -> GroupCases.position(one, topic)).sum() == 20L * PARTITIONS;
        Set<String> came = GroupCases.poll(both, all);
        came.addAll(GroupCases.commit(both, all));
        Cases.equal("records that came", 20 * PARTITIONS, came.size());
        int taken = members.stream().mapToInt(member -> member.taken).sum();
        Files.createFile(directory.resolve("kill"));
        GroupCases.poll(both, () -> Files.exists(directory.resolve("again")));
        send(topic, 1);
        Set<String> later = GroupCases.poll(both, () -> both.stream().mapToLong(one -> GroupCases.position(one, topic)).sum() == 40L * PARTITIONS);
        later.addAll(GroupCases.commit(both, () -> true));
        Cases.equal("records after its death", 20 * PARTITIONS, later.size());
        Cases.equal("partitions that changed hands", taken, members.stream().mapToInt(member -> member.taken).sum());
        both.forEach(KafkaConsumer::close);
        try (KafkaConsumer<byte[], byte[]> next = member(topic).on(topic).consumer) {
            Cases.equal("records that come again", Set.of(), GroupCases.poll(List.of(next), () -> GroupCases.shared(List.of(next))));
        }
    }
}
