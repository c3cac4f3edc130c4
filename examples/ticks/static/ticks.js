"use strict";
const interval = new URLSearchParams(location.search).get("interval") || "1000";
const source = new EventSource(`/ticks?interval=${encodeURIComponent(interval)}`);
source.addEventListener("tick", (event) => {
  const { number, price } = JSON.parse(event.data);
  document.getElementById("price").textContent = price.toFixed(2);
  const line = document.createElement("li");
  line.value = number;
  line.textContent = price.toFixed(2);
  document.getElementById("ticks").prepend(line);
  if (document.getElementById("ticks").children.length > 20) document.getElementById("ticks").lastChild.remove();
});
