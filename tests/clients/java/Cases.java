import java.util.Objects;

/** Runs test cases and prints each as tests/stage.sh does. */
final class Cases {
    interface Case {
        void run() throws Exception;
    }

    private int failed;

    void run(String name, Case body) {
        long began = System.nanoTime();
        Throwable problem = null;
        try {
            body.run();
        } catch (Throwable thrown) {
            problem = thrown;
        }
        System.out.printf("    %s  %6d ms  %s%n", problem == null ? "ok    " : "FAILED", (System.nanoTime() - began) / 1_000_000, name);
        if (problem != null) {
            failed++;
            System.out.println("      | " + problem);
            for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
                for (StackTraceElement frame : cause.getStackTrace()) {
                    if (frame.getClassName().endsWith("Cases") && !frame.getClassName().equals("Cases")) {
                        System.out.println("      |     at " + frame);
                    }
                }
                if (cause.getCause() != null) {
                    System.out.println("      |   because of " + cause.getCause());
                }
            }
        }
    }

    /** The exit code of a program that runs cases. */
    int status() {
        return failed == 0 ? 0 : 1;
    }

    static void equal(String what, Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": expected <" + expected + ">, got <" + actual + ">");
        }
    }

    static void check(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** The body must fail with this exception, as itself or as the cause; it is returned. */
    static <T extends Throwable> T fails(Class<T> with, Case body) {
        try {
            body.run();
        } catch (Throwable thrown) {
            for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
                if (with.isInstance(cause)) {
                    return with.cast(cause);
                }
            }
            throw new AssertionError("expected " + with.getSimpleName() + ", got " + thrown, thrown);
        }
        throw new AssertionError("expected " + with.getSimpleName() + ", but it succeeded");
    }
}
