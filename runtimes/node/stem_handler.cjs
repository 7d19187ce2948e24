'use strict';
// What a stem loads and calls once, to get ready.
exports.handler = async (event) => JSON.parse(JSON.stringify({ ...event, at: Date.now() }));
