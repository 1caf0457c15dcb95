// Reads KafkaTopics and KafkaUsers into Strimzi's own classes: a field that they do not know is an error.
// java -cp 'libs/*' Check.java FILE
import io.fabric8.kubernetes.client.utils.Serialization;
import io.strimzi.api.kafka.model.topic.KafkaTopic;
import io.strimzi.api.kafka.model.user.KafkaUser;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Map;

public class Check {
    static final Map<String, Class<?>> KINDS = Map.of("KafkaTopic", KafkaTopic.class, "KafkaUser", KafkaUser.class);
    static int problems = 0;

    public static void main(String[] files) throws Exception {
        int count = 0;
        for (String document : Files.readString(Path.of(files[0])).split("(?m)^---$")) {
            Map<?, ?> raw = Serialization.unmarshal(document, Map.class);
            if (!String.valueOf(raw.get("apiVersion")).startsWith("kafka.strimzi.io/")) {
                tell("apiVersion " + raw.get("apiVersion"));
            }
            walk(Serialization.unmarshal(document, KINDS.get(raw.get("kind"))), raw.get("kind").toString());
            count++;
        }
        System.out.println(count + " objects, " + problems + " problems");
        System.exit(problems);
    }

    static void walk(Object value, String path) throws Exception {
        if (value instanceof Collection<?> many) {
            for (Object one : many) walk(one, path + "[]");
        }
        if (value == null || !value.getClass().getName().startsWith("io.strimzi")) return;
        for (Method method : value.getClass().getMethods()) {
            String name = method.getName();
            if (method.getParameterCount() != 0 || !name.startsWith("get")) continue;
            if (name.equals("getAdditionalProperties")) {
                ((Map<?, ?>) method.invoke(value)).keySet().forEach(key -> tell(path + ": unknown field " + key));
            } else if (mayHold(method.getReturnType())) {
                walk(method.invoke(value), path + "." + name.substring(3));
            }
        }
    }

    static boolean mayHold(Class<?> type) {
        return type.getName().startsWith("io.strimzi") || Collection.class.isAssignableFrom(type);
    }

    static void tell(String words) {
        System.out.println(words);
        problems++;
    }
}
