#!/usr/bin/env escript
%% SPDX-License-Identifier: MIT
-mode(compile).
%% usage: escript spawn.erl COUNT      processes of the Erlang VM: "run NS" (spawn, a message back, end), "idle BYTES" (waiting)
main([Text]) ->
    Count = list_to_integer(Text),
    Self = self(),
    {Time, _} = timer:tc(fun() ->
        lists:foreach(fun(_) -> spawn(fun() -> Self ! done end), receive done -> ok end end, lists:seq(1, Count)) end),
    Before = erlang:memory(processes),
    All = [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, min(Count, 100000))],
    After = erlang:memory(processes),
    io:format("run ~w~nidle ~w~n", [Time * 1000 div Count, (After - Before) div length(All)]).
