import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Java's admin client. Arguments: bootstrap. */
public final class AdminCases {
    private static String bootstrap;
    private static Admin admin;

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        admin = Clients.admin(bootstrap);
        Cases cases = new Cases();
        cases.run("creates topics with defaults, counts, assignments and configs", AdminCases::createsTopics);
        cases.run("bad topics are refused, good ones of the same request created", AdminCases::mixedCreation);
        cases.run("validate-only changes nothing", AdminCases::validateOnly);
        cases.run("describes topics by name and by id", AdminCases::describesTopics);
        cases.run("deletes topics by name and by id", AdminCases::deletesTopics);
        cases.run("adds partitions", AdminCases::addsPartitions);
        cases.run("describes every config of a topic with synonyms and types", AdminCases::describesConfigs);
        cases.run("incremental alterations set, append, subtract and delete", AdminCases::incrementalAlterations);
        cases.run("a bad alteration is refused and changes nothing", AdminCases::badAlterations);
        cases.run("broker configs are described and altered", AdminCases::brokerConfigs);
        cases.run("lists offsets of every special kind", AdminCases::listsOffsets);
        cases.run("describes the cluster and its features", AdminCases::describesCluster);
        cases.run("describes log dirs and replica log dirs", AdminCases::describesLogDirs);
        cases.run("hundreds of topics in one request", AdminCases::manyTopics);
        admin.close();
        System.exit(cases.status());
    }

    private static NewTopic topic(String name) {
        return new NewTopic(name, 1, (short) 1);
    }

    private static TopicDescription describe(String name) throws Exception {
        return admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
    }

    private static ConfigResource resource(String name) {
        return new ConfigResource(ConfigResource.Type.TOPIC, name);
    }

    private static Config config(ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true))
            .all().get().get(resource);
    }

    private static void createsTopics() throws Exception {
        CreateTopicsResult created = admin.createTopics(List.of(
            new NewTopic("admin-defaults", java.util.Optional.empty(), java.util.Optional.empty()),
            new NewTopic("admin-three", 3, (short) 1).configs(Map.of("retention.ms", "60000", "cleanup.policy", "compact")),
            new NewTopic("admin-assigned", Map.of(0, List.of(1), 1, List.of(1)))));
        created.all().get();
        Cases.equal("partitions by default", 1, created.numPartitions("admin-defaults").get());
        Cases.equal("partitions asked for", 3, created.numPartitions("admin-three").get());
        Cases.equal("partitions assigned", 2, created.numPartitions("admin-assigned").get());
        Cases.equal("replication factor", 1, created.replicationFactor("admin-defaults").get());
        Cases.equal("config in the answer", "60000", created.config("admin-three").get().get("retention.ms").value());
        Cases.check("an id", !created.topicId("admin-three").get().equals(Uuid.ZERO_UUID));
        Cases.equal("id when described", created.topicId("admin-three").get(), describe("admin-three").topicId());
        Cases.fails(TopicExistsException.class, () -> admin.createTopics(List.of(topic("admin-three"))).all().get());
    }

    private static void mixedCreation() throws Exception {
        CreateTopicsResult created = admin.createTopics(List.of(topic("admin-good"), topic("bad/name"), topic("x".repeat(250)), topic("."), topic(""),
            new NewTopic("admin-zero", 0, (short) 1), new NewTopic("admin-replicas", 1, (short) 2), new NewTopic("admin-no-replicas", 1, (short) 0),
            new NewTopic("admin-stranger", Map.of(0, List.of(77))), topic("admin-config").configs(Map.of("retention.ms", "soon")),
            topic("admin-unknown-config").configs(Map.of("no.such.config", "1"))));
        Map<String, KafkaFuture<Void>> results = created.values();
        results.get("admin-good").get();
        for (String name : List.of("bad/name", "x".repeat(250), ".", "")) {
            Cases.fails(InvalidTopicException.class, () -> results.get(name).get());
        }
        Cases.fails(InvalidPartitionsException.class, () -> results.get("admin-zero").get());
        Cases.fails(InvalidReplicationFactorException.class, () -> results.get("admin-replicas").get());
        Cases.fails(InvalidReplicationFactorException.class, () -> results.get("admin-no-replicas").get());
        Cases.fails(InvalidReplicaAssignmentException.class, () -> results.get("admin-stranger").get());
        Cases.fails(InvalidConfigurationException.class, () -> results.get("admin-config").get());
        Cases.fails(InvalidConfigurationException.class, () -> results.get("admin-unknown-config").get());
        Set<String> names = admin.listTopics().names().get();
        Cases.check("only the good one exists", names.contains("admin-good") && !names.contains("admin-config") && !names.contains("admin-zero"));
        // Kafka takes dots and underscores for the same in metric names.
        admin.createTopics(List.of(topic("admin.collides"))).all().get();
        Cases.fails(InvalidTopicException.class, () -> admin.createTopics(List.of(topic("admin_collides"))).all().get());
    }

    private static void validateOnly() throws Exception {
        admin.createTopics(List.of(topic("admin-validated")), new CreateTopicsOptions().validateOnly(true)).all().get();
        Cases.check("was not created", !admin.listTopics().names().get().contains("admin-validated"));
        admin.createTopics(List.of(topic("admin-validated"))).all().get();
        admin.createPartitions(Map.of("admin-validated", NewPartitions.increaseTo(9)), new CreatePartitionsOptions().validateOnly(true)).all().get();
        Cases.equal("partitions", 1, describe("admin-validated").partitions().size());
    }

    private static void describesTopics() throws Exception {
        TopicDescription byName = describe("admin-three");
        Cases.equal("partitions", 3, byName.partitions().size());
        Cases.check("not internal", !byName.isInternal());
        for (var partition : byName.partitions()) {
            Cases.equal("leader", partition.replicas().get(0), partition.leader());
            Cases.equal("in-sync replicas", partition.replicas(), partition.isr());
            Cases.equal("eligible leader replicas", List.of(), partition.elr());
        }
        Map<Uuid, TopicDescription> byId =
            admin.describeTopics(TopicCollection.ofTopicIds(List.of(byName.topicId()))).allTopicIds().get();
        Cases.equal("name by id", "admin-three", byId.get(byName.topicId()).name());
        Cases.fails(UnknownTopicOrPartitionException.class, () -> describe("admin-absent"));
        Cases.fails(UnknownTopicIdException.class,
            () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get());
        Cases.check("describing does not create", !admin.listTopics().names().get().contains("admin-absent"));
    }

    private static void deletesTopics() throws Exception {
        CreateTopicsResult created = admin.createTopics(List.of(topic("admin-delete-1"), topic("admin-delete-2")));
        created.all().get();
        admin.deleteTopics(List.of("admin-delete-1")).all().get();
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(created.topicId("admin-delete-2").get()))).all().get();
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (admin.listTopics().names().get().stream().anyMatch(name -> name.startsWith("admin-delete-"))) {
            Cases.check("still listed after two minutes", System.nanoTime() < deadline);
        }
        Cases.fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of("admin-delete-1")).all().get());
        Cases.fails(UnknownTopicIdException.class,
            () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(created.topicId("admin-delete-2").get()))).all().get());
    }

    private static void addsPartitions() throws Exception {
        admin.createTopics(List.of(topic("admin-grows"))).all().get();
        admin.createPartitions(Map.of("admin-grows", NewPartitions.increaseTo(4, List.of(List.of(1), List.of(1), List.of(1))))).all().get();
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (describe("admin-grows").partitions().size() != 4) {
            Cases.check("no 4 partitions after two minutes", System.nanoTime() < deadline);
        }
        Cases.fails(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of("admin-grows", NewPartitions.increaseTo(4))).all().get());
        Cases.fails(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of("admin-grows", NewPartitions.increaseTo(1))).all().get());
        Cases.fails(InvalidReplicaAssignmentException.class,
            () -> admin.createPartitions(Map.of("admin-grows", NewPartitions.increaseTo(5, List.of(List.of(77))))).all().get());
        Cases.fails(UnknownTopicOrPartitionException.class,
            () -> admin.createPartitions(Map.of("admin-absent", NewPartitions.increaseTo(2))).all().get());
    }

    private static void describesConfigs() throws Exception {
        Config config = config(resource("admin-three"));
        ConfigEntry retention = config.get("retention.ms");
        Cases.equal("value", "60000", retention.value());
        Cases.equal("source", ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source());
        Cases.equal("type", ConfigEntry.ConfigType.LONG, retention.type());
        Cases.check("documentation", retention.documentation() != null && !retention.documentation().isEmpty());
        Cases.equal("nearest synonym", "retention.ms", retention.synonyms().get(0).name());
        ConfigEntry segment = config.get("segment.bytes");
        Cases.equal("default value", "1073741824", segment.value());
        Cases.check("default source", segment.isDefault());
        Cases.equal("type of a list", ConfigEntry.ConfigType.LIST, config.get("cleanup.policy").type());
        Cases.check("all topic configs", config.entries().size() >= 30);
        Cases.fails(UnknownTopicOrPartitionException.class, () -> config(resource("admin-absent")));
    }

    private static void alter(ConfigResource resource, AlterConfigOp.OpType type, String name, String value) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), type)))).all().get();
    }

    /** Configuration reaches the broker that describes it a moment after the change is acknowledged. */
    private static void expectConfig(ConfigResource resource, String name, String expected) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (!expected.equals(config(resource).get(name).value()) && System.nanoTime() < deadline) {
            Thread.sleep(20);
        }
        Cases.equal(name, expected, config(resource).get(name).value());
    }

    private static void incrementalAlterations() throws Exception {
        admin.createTopics(List.of(topic("admin-altered"))).all().get();
        ConfigResource resource = resource("admin-altered");
        alter(resource, AlterConfigOp.OpType.SET, "retention.ms", "12345");
        expectConfig(resource, "retention.ms", "12345");
        alter(resource, AlterConfigOp.OpType.APPEND, "cleanup.policy", "compact");
        expectConfig(resource, "cleanup.policy", "delete,compact");
        alter(resource, AlterConfigOp.OpType.SUBTRACT, "cleanup.policy", "delete");
        expectConfig(resource, "cleanup.policy", "compact");
        alter(resource, AlterConfigOp.OpType.DELETE, "retention.ms", null);
        expectConfig(resource, "retention.ms", "604800000");
        Cases.equal("other changes stay", "compact", config(resource).get("cleanup.policy").value());
    }

    private static void badAlterations() throws Exception {
        ConfigResource resource = resource("admin-altered");
        Cases.fails(InvalidConfigurationException.class, () -> alter(resource, AlterConfigOp.OpType.SET, "retention.ms", "soon"));
        Cases.fails(InvalidConfigurationException.class, () -> alter(resource, AlterConfigOp.OpType.SET, "no.such.config", "1"));
        Cases.fails(InvalidConfigurationException.class, () -> alter(resource, AlterConfigOp.OpType.APPEND, "retention.ms", "1"));
        Cases.fails(UnknownTopicOrPartitionException.class, () -> alter(resource("admin-absent"), AlterConfigOp.OpType.SET, "retention.ms", "1"));
        expectConfig(resource, "retention.ms", "604800000");
    }

    private static void brokerConfigs() throws Exception {
        String id = admin.describeCluster().controller().get().idString();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, id);
        Config config = config(broker);
        Cases.equal("message.max.bytes", "1048588", config.get("message.max.bytes").value());
        Cases.check("read-only", config.get("log.dirs").isReadOnly());
        Cases.check("dynamic", !config.get("message.max.bytes").isReadOnly());
        alter(broker, AlterConfigOp.OpType.SET, "log.retention.ms", "777777");
        expectConfig(broker, "log.retention.ms", "777777");
        expectConfig(resource("admin-defaults"), "retention.ms", "777777");
        Cases.equal("source", ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG, config(resource("admin-defaults")).get("retention.ms").source());
        alter(broker, AlterConfigOp.OpType.DELETE, "log.retention.ms", null);
        expectConfig(resource("admin-defaults"), "retention.ms", "604800000");
    }

    private static void listsOffsets() throws Exception {
        TopicPartition partition = new TopicPartition("admin-offsets", 0);
        admin.createTopics(List.of(topic("admin-offsets"))).all().get();
        Cases.equal("max timestamp of an empty log", -1L, offset(partition, OffsetSpec.maxTimestamp()).offset());
        try (KafkaProducer<byte[], byte[]> producer = Clients.producer(bootstrap)) {
            for (long timestamp : new long[] {1_000, 9_000, 5_000}) {
                producer.send(new ProducerRecord<>(partition.topic(), 0, timestamp, null, Clients.bytes("v"))).get();
            }
        }
        Cases.equal("earliest", 0L, offset(partition, OffsetSpec.earliest()).offset());
        Cases.equal("latest", 3L, offset(partition, OffsetSpec.latest()).offset());
        Cases.equal("max timestamp's offset", 1L, offset(partition, OffsetSpec.maxTimestamp()).offset());
        Cases.equal("max timestamp", 9_000L, offset(partition, OffsetSpec.maxTimestamp()).timestamp());
        Cases.equal("for a timestamp", 1L, offset(partition, OffsetSpec.forTimestamp(4_000)).offset());
        Cases.equal("beyond all", -1L, offset(partition, OffsetSpec.forTimestamp(9_001)).offset());
        Cases.equal("earliest local", 0L, offset(partition, OffsetSpec.earliestLocal()).offset());
        Cases.equal("latest tiered", -1L, offset(partition, OffsetSpec.latestTiered()).offset());
    }

    private static ListOffsetsResultInfo offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
    }

    private static void describesCluster() throws Exception {
        var cluster = admin.describeCluster();
        Cases.equal("nodes", 1, cluster.nodes().get().size());
        Cases.equal("address", bootstrap, cluster.controller().get().host() + ":" + cluster.controller().get().port());
        Cases.equal("length of the cluster id", 22, cluster.clusterId().get().length());
        Cases.check("finalized metadata.version", admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("metadata.version"));
    }

    private static void describesLogDirs() throws Exception {
        int id = admin.describeCluster().controller().get().id();
        var dirs = admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id);
        Cases.equal("directories", 1, dirs.size());
        var dir = dirs.values().iterator().next();
        Cases.equal("error", null, dir.error());
        Cases.check("has the partition", dir.replicaInfos().containsKey(new TopicPartition("admin-offsets", 0)));
        Cases.check("size of three batches", dir.replicaInfos().get(new TopicPartition("admin-offsets", 0)).size() >= 3 * 61);
        Cases.check("total and usable bytes", dir.totalBytes().getAsLong() > dir.usableBytes().getAsLong() && dir.usableBytes().getAsLong() > 0);
    }

    private static void manyTopics() throws Exception {
        Map<String, NewTopic> topics = new HashMap<>();
        for (int i = 0; i < 200; i++) {
            topics.put("admin-many-" + i, topic("admin-many-" + i));
        }
        admin.createTopics(topics.values()).all().get();
        Cases.check("all are listed", admin.listTopics().names().get().containsAll(topics.keySet()));
        admin.deleteTopics(topics.keySet()).all().get();
    }
}
