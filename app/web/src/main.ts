import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { applyTheme, savedTheme } from "./lib/desk/theme.svelte";

applyTheme(savedTheme());

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app");

mount(App, { target });
