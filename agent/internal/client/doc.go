// Package client is how the agent speaks to AWS: where its credentials come
// from, the SDK's settings, one transport, and what each error asks for.
//
//	aws, err := client.Load(ctx, client.Settings{Region: "eu-west-1"})
//	fault := client.Classify(err)
//
// FindCredentials names the source and its traps before anything is asked.
// Secrets and NewRedactor keep secrets out of every log: they are the second
// line, no room may rely on them. Nothing here decides what a file's error
// leads to, and nothing here is proof that credentials are right: that is
// gate's.
package client
