// Loaded before the Playground starts: it has no option for the address it listens at, and takes all interfaces of the machine.
"use strict";
const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === "number" || typeof args[0] === "string") {
    const done = args.find((one) => typeof one === "function");
    return listen.call(this, { port: Number(args[0]), host: "127.0.0.1" }, done);
  }
  const [options, ...rest] = args;
  return listen.call(this, options && "port" in options ? { ...options, host: "127.0.0.1" } : options, ...rest);
};
