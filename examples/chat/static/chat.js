"use strict";
// ?name=ada&room=lobby&say=hello
const asked = new URLSearchParams(location.search);
const name = asked.get("name") || "guest" + Math.floor(Math.random() * 1000);
const room = asked.get("room") || "lobby";
const input = document.querySelector("input");
const state = document.getElementById("state");
const url = `${location.origin.replace(/^http/, "ws")}/rooms/${encodeURIComponent(room)}?name=${encodeURIComponent(name)}`;
const socket = new WebSocket(url);

function say(text) {
  if (text && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ text }));
}

socket.onopen = () => { state.textContent = `in ${room} as ${name}`; say(asked.get("say")); };
socket.onclose = (event) => { state.textContent = `gone: ${event.code} ${event.reason}`; };
socket.onmessage = (event) => {
  const { name, text } = JSON.parse(event.data);
  const line = document.createElement("div");
  line.textContent = `${name}: ${text}`; // never as HTML
  document.getElementById("said").append(line);
};
document.querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  say(input.value);
  input.value = "";
};
