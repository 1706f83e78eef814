// usage: node loop.js count|sum ROUNDS
function count(n) {
	while (n !== 0) n--;
	return n;
}

function sum(n) {
	let s = 0;
	for (let i = 0; i < n; i++) s = (s + (i ^ (s >>> 3))) | 0;
	return s >>> 0;
}

const rounds = Number(process.argv[3]);
console.log((process.argv[2] === "count" ? count(rounds) : sum(rounds)).toString(16).padStart(16, "0"));
