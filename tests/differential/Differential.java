import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.apache.kafka.common.protocol.ApiKeys;

/**
 * Asks Apache Kafka and Ringmill the same questions, each in every version, and compares the answers.
 * Arguments: Kafka's bootstrap, Ringmill's bootstrap. The questions are in *Questions.java.
 */
public final class Differential {
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
        System.exit(differential.cases.status());
    }

    /** Asks both and compares nothing: to bring both into the same state. Both must be done with it. */
    void prepare(ApiKeys api, int version, String request) throws Exception {
        for (Peer peer : List.of(kafka, ringmill)) {
            JsonNode answer = peer.ask(api, (short) version, request);
            Cases.check(peer.name + " did not prepare " + api + ": " + answer, !hasError(answer));
        }
    }

    private static boolean hasError(JsonNode node) {
        if (node instanceof ObjectNode && node.path("errorCode").asInt() != 0 || node == Peer.CLOSED || node == Peer.SILENT) {
            return true;
        }
        for (JsonNode child : node) {
            if (hasError(child)) {
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
                JsonNode ofKafka = answer(kafka, api, version, request, change);
                JsonNode ofRingmill = answer(ringmill, api, version, request, change);
                for (String difference : Comparison.differences(ofKafka, ofRingmill)) {
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
            JsonNode kafkas = answer(kafka, api, version, ofKafka, (peer, answer) -> { });
            JsonNode ringmills = answer(ringmill, api, version, ofRingmill, (peer, answer) -> { });
            List<String> differences = Comparison.differences(kafkas, ringmills);
            differences.forEach(difference -> System.out.println("      | " + difference));
            Cases.check(differences.size() + " differences (Apache Kafka / Ringmill)", differences.isEmpty());
        });
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
