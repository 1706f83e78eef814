-- What an interpreter does inside a guest: calls, tables, strings, closures, numbers. usage: lua script.lua SIZE
local size = tonumber(arg[1])

local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end

local function words(n)
	local seen, text = {}, {}
	for i = 1, n do
		local word = string.format("%x", i * 2654435761 % 65536)
		seen[word] = (seen[word] or 0) + 1
		text[#text + 1] = word
	end
	local keys = {}
	for word in pairs(seen) do keys[#keys + 1] = word end
	table.sort(keys)
	return #table.concat(text, " "):gsub("a+", "b"), keys[#keys // 2], #keys
end

local function waves(n)
	local a, b = 0.0, 1.0
	for _ = 1, n do a, b = a + b * 0.001, b - a * 0.001 end
	return string.format("%.12f %.12f", a, b)
end

local function makers(n)
	local all, sum = {}, 0
	for i = 1, n do all[i % 64 + 1] = function(x) return x + i end sum = (all[i % 64 + 1](sum)) & 0xffffffff end
	return sum
end

for _ = 1, size do
	print(fib(22), waves(200000), makers(100000), words(20000))
end
