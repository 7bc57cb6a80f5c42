"use strict";

/** The greeting for a name. */
exports.greet = ({ name }) => ({ greeting: `Hello, ${name}!` });
