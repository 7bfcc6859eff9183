// The official client comes back by itself after a refusal that may pass; prints the statuses that it met and the answer.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const statuses = [];
async function watched(...sent) {
  const response = await fetch(...sent);
  statuses.push(response.status);
  return response;
}
const client = new OpenAI({ baseURL, apiKey, maxRetries: 4, fetch: watched });
const completion = await client.chat.completions.create({ model: "default", messages: [{ role: "user", content: "Hello" }], max_tokens: 3 });
console.log(JSON.stringify({ statuses, text: completion.choices[0].message.content }));
