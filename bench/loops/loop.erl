%% usage: erl -noshell -s loop main count|sum ROUNDS
-module(loop).
-export([main/1]).

main([What, Rounds]) ->
	N = list_to_integer(atom_to_list(Rounds)),
	io:format("~16.16.0b~n", [case What of count -> count(N); sum -> sum(0, N, 0) end]),
	halt().

count(0) -> 0;
count(N) -> count(N - 1).

sum(N, N, S) -> S;
sum(I, N, S) -> sum(I + 1, N, (S + (I bxor (S bsr 3))) band 16#FFFFFFFF).
