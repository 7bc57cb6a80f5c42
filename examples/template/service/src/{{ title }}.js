"use strict";

const { createServer } = require("node:http");

// In a template of templates this stays as it is: \{{ title }}
createServer((_, response) => response.end("{{ title }} keeps its data in {{ database }}\n")).listen({{ port }});
