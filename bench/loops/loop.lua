-- usage: lua loop.lua count|sum ROUNDS. LuaJIT has numbers and a library of 32 bits, Lua 5.4 operators on 64 bits.
local what, rounds = arg[1], tonumber(arg[2])

local function count(n)
	while n ~= 0 do n = n - 1 end
	return n
end

local sum
if jit then
	local bxor, shift, wrap = bit.bxor, bit.rshift, bit.tobit
	function sum(n)
		local s = 0
		for i = 0, n - 1 do s = wrap(s + bxor(i, shift(s, 3))) end
		return s % 0x100000000
	end
else
	sum = load [[
		local n = ...
		local s = 0
		for i = 0, n - 1 do s = (s + (i ~ (s >> 3))) & 0xffffffff end
		return s
	]]
end

print(string.format("%016x", what == "count" and count(rounds) or sum(rounds)))
