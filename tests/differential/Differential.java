import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.IntPredicate;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/**
 * Asks Apache Kafka and Ringmill the same questions, each in every version, and compares the answers.
 * Arguments: Kafka's bootstrap, Ringmill's bootstrap. The questions are in *Questions.java.
 */
public final class Differential {
    /**
     * What a broker says while it is not ready: a topic that it has not seen yet, a coordinator that loads, markers that are being written, a
     * coordinator that could not be asked whether records are of a transaction (NOT_ENOUGH_REPLICAS to older producers). How long that takes
     * is each broker's own: where the answers differ and one of them says so, that one is asked again.
     */
    private static final Set<Integer> PASSING = Set.of((int) Errors.UNKNOWN_TOPIC_OR_PARTITION.code(), (int) Errors.LEADER_NOT_AVAILABLE.code(),
        (int) Errors.NOT_LEADER_OR_FOLLOWER.code(), (int) Errors.COORDINATOR_LOAD_IN_PROGRESS.code(), (int) Errors.COORDINATOR_NOT_AVAILABLE.code(),
        (int) Errors.NOT_COORDINATOR.code(), (int) Errors.CONCURRENT_TRANSACTIONS.code(), (int) Errors.UNKNOWN_TOPIC_ID.code(),
        (int) Errors.NETWORK_EXCEPTION.code(), (int) Errors.NOT_ENOUGH_REPLICAS.code());
    private static final int MOST_TRIES = 100;
    private static final int BETWEEN_TRIES_MS = 50;

    final Peer kafka;
    final Peer ringmill;
    private final Cases cases = new Cases();

    private Differential(String kafka, String ringmill) {
        this.kafka = new Peer("Apache Kafka", kafka);
        this.ringmill = new Peer("Ringmill", ringmill);
    }

    public static void main(String[] arguments) throws Exception {
        Differential differential = new Differential(arguments[0], arguments[1]);
        DataQuestions.ask(differential);
        AdminQuestions.ask(differential);
        CompactionQuestions.ask(differential, differential.cases);
        GroupQuestions.ask(differential);
        TransactionQuestions.ask(differential);
        ConsumerGroupQuestions.ask(differential);
        System.exit(differential.cases.status());
    }

    /** Asks both and compares nothing: to bring both into the same state. Both must be done with it. */
    void prepare(ApiKeys api, int version, String request) throws Exception {
        for (Peer peer : List.of(kafka, ringmill)) {
            JsonNode answer = peer.ask(api, (short) version, request);
            for (int tries = 0; hasError(answer, PASSING::contains) && tries < MOST_TRIES; tries++) {
                Thread.sleep(BETWEEN_TRIES_MS);
                answer = peer.ask(api, (short) version, request);
            }
            Cases.check(peer.name + " did not prepare " + api + ": " + answer,
                answer != Peer.CLOSED && answer != Peer.SILENT && !hasError(answer, code -> code != 0));
        }
    }

    private static boolean hasError(JsonNode node, IntPredicate which) {
        if (node instanceof ObjectNode && which.test(node.path("errorCode").asInt())) {
            return true;
        }
        for (JsonNode child : node) {
            if (hasError(child, which)) {
                return true;
            }
        }
        return false;
    }

    void compare(String name, ApiKeys api, int from, int to, String request) {
        compare(name, api, from, to, request, (peer, answer) -> { });
    }

    /** Asks both in each version from one to the other; `change` may take away from an answer what this question is not about. */
    void compare(String name, ApiKeys api, int from, int to, String request, BiConsumer<Peer, JsonNode> change) {
        cases.run(api.name + " " + from + "-" + to + ": " + name, () -> {
            Map<String, List<Integer>> versionsOf = new LinkedHashMap<>();
            for (int version = from; version <= to; version++) {
                for (String difference : differences(api, version, request, request, change)) {
                    versionsOf.computeIfAbsent(difference.replaceAll("<some>", "*"), key -> new ArrayList<>()).add(version);
                }
            }
            versionsOf.entrySet().stream().limit(40).forEach(entry -> System.out.println("      | " + entry.getKey() + "  in versions " + entry.getValue()));
            Cases.check(versionsOf.size() + " differences (Apache Kafka / Ringmill)", versionsOf.isEmpty());
        });
    }

    /** Asks each its own question. */
    void compareEach(String name, ApiKeys api, int version, String ofKafka, String ofRingmill) {
        cases.run(api.name + " " + version + ": " + name, () -> {
            List<String> differences = differences(api, version, ofKafka, ofRingmill, (peer, answer) -> { });
            differences.forEach(difference -> System.out.println("      | " + difference));
            Cases.check(differences.size() + " differences (Apache Kafka / Ringmill)", differences.isEmpty());
        });
    }

    private List<String> differences(ApiKeys api, int version, String toKafka, String toRingmill, BiConsumer<Peer, JsonNode> change) throws Exception {
        JsonNode ofKafka = answer(kafka, api, version, toKafka, change);
        JsonNode ofRingmill = answer(ringmill, api, version, toRingmill, change);
        List<String> differences = Comparison.differences(ofKafka, ofRingmill);
        for (int tries = 0; !differences.isEmpty() && tries < MOST_TRIES; tries++) {
            boolean kafkaWaits = hasError(ofKafka, PASSING::contains);
            boolean ringmillWaits = hasError(ofRingmill, PASSING::contains);
            if (!kafkaWaits && !ringmillWaits) {
                break;
            }
            Thread.sleep(BETWEEN_TRIES_MS);
            ofKafka = kafkaWaits ? answer(kafka, api, version, toKafka, change) : ofKafka;
            ofRingmill = ringmillWaits ? answer(ringmill, api, version, toRingmill, change) : ofRingmill;
            differences = Comparison.differences(ofKafka, ofRingmill);
        }
        return differences;
    }

    private static JsonNode answer(Peer peer, ApiKeys api, int version, String request, BiConsumer<Peer, JsonNode> change) throws Exception {
        JsonNode answer = peer.ask(api, (short) version, request);
        change.accept(peer, answer);
        return answer;
    }

    /** Keeps of an array only the entries whose field the other peer's answer has too, or that are in a list. */
    static void retain(JsonNode array, String field, List<String> values) {
        Iterator<JsonNode> entries = ((ArrayNode) array).elements();
        while (entries.hasNext()) {
            if (!values.contains(entries.next().get(field).asText())) {
                entries.remove();
            }
        }
    }
}
