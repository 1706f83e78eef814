/* SPDX-License-Identifier: MIT
 *
 * The calls of calls.c, between C and Lua by Lua's own interface: `in NS`, a function of Lua's that adds two numbers, `out NS`, a round of a
 * loop of Lua's that calls a function of C's. Compiled for Lua and for LuaJIT.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 500, CALLS = 2000 };

static uint64_t ticks;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int tick(lua_State *lua)
{
	ticks++;
	lua_pushinteger(lua, lua_tointeger(lua, 1) + 1);
	return 1;
}

static void must(int failed, lua_State *lua)
{
	if (!failed)
		return;
	fprintf(stderr, "lua: %s\n", lua_tostring(lua, -1));
	exit(1);
}

static double in(lua_State *lua)
{
	double best = 1e18;
	int64_t sum = 0, wanted = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now();

		for (int i = 0; i < CALLS; i++) {
			lua_getglobal(lua, "add");
			lua_pushinteger(lua, i & 0xFF);
			lua_pushinteger(lua, 2);
			must(lua_pcall(lua, 2, 1, 0), lua);
			sum += lua_tointeger(lua, -1);
			wanted += (i & 0xFF) + 2;
			lua_pop(lua, 1);
		}
		start = (now() - start) / CALLS;
		best = start < best ? start : best;
	}
	if (sum != wanted)
		exit(1);
	return best;
}

static double out(lua_State *lua)
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now();

		lua_getglobal(lua, "loop");
		lua_pushinteger(lua, CALLS);
		must(lua_pcall(lua, 1, 0, 0), lua);
		start = (now() - start) / CALLS;
		best = start < best ? start : best;
	}
	if (ticks != (uint64_t)ROUNDS * CALLS)
		exit(1);
	return best;
}

int main(void)
{
	lua_State *lua = luaL_newstate();

	if (!lua)
		return 1;
	luaL_openlibs(lua);
	lua_pushcfunction(lua, tick);
	lua_setglobal(lua, "tick");
	must(luaL_loadstring(lua, "function add(a, b) return a + b end\n"
				  "function loop(n) local tick, x = tick, 0 for i = 1, n do x = tick(x) end return x end\n") ||
		     lua_pcall(lua, 0, 0, 0),
	     lua);
	printf("in %.1f\n", in(lua));
	printf("out %.1f\n", out(lua));
	lua_close(lua);
	return 0;
}
