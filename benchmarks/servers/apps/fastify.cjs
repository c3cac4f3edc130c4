// fastify with its own validation, by ajv.
const fastify = require("fastify")({ logger: false });

const integer = { type: "integer" };
const pet = {
  type: "object",
  required: ["name", "status", "owner"],
  properties: {
    name: { type: "string", minLength: 1, maxLength: 50 },
    status: { type: "string", enum: ["available", "pending", "sold"] },
    owner: {
      type: "object",
      required: ["name"],
      properties: { name: { type: "string", maxLength: 80 }, city: { type: "string" } },
    },
  },
};
const params = { type: "object", properties: { id: integer, post_id: integer } };
const querystring = { type: "object", properties: { limit: { type: "integer", minimum: 1, maximum: 100 } } };

fastify.get("/health", async () => ({ status: "ok" }));
fastify.get("/users/:id/posts/:post_id", { schema: { params, querystring } }, async (request) => ({
  id: request.params.id,
  post_id: request.params.post_id,
  limit: request.query.limit,
}));
fastify.post("/pets", { schema: { body: pet } }, async (request) => request.body);
fastify.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
