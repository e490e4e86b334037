// Runs once, when MongoDB's volume is new: the user whose rights RecallQL needs, with no others.
db.getSiblingDB("admin").createUser({
  user: "recallql",
  pwd: require("fs").readFileSync("/run/secrets/mongodb-password", "utf8").trim(),
  roles: [{ role: "readWrite", db: "recallql" }],
});
