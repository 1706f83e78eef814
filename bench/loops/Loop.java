/** usage: java Loop count|sum ROUNDS */
public class Loop {
	/* The compiler may not know that counting down ends at 0: the step comes from outside. */
	static int count(int n, int step) {
		while (n != 0)
			n -= step;
		return n;
	}

	static int sum(int n) {
		int s = 0;
		for (int i = 0; i < n; i++)
			s += i ^ (s >>> 3);
		return s;
	}

	public static void main(String[] args) {
		int rounds = Integer.parseInt(args[1]);
		System.out.printf("%016x%n", args[0].equals("count") ? count(rounds, args.length - 1) : Integer.toUnsignedLong(sum(rounds)));
	}
}
