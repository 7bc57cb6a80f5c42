"use strict";

/** Middleware that adds a greeting with the time to each answer. */
module.exports = ({ phrase }, { clock }) => async (context, next) => {
  await next();
  context.headers["x-greeting"] = `${phrase}, it is ${clock.now()}`;
};
