// Package e2e holds the end-to-end stories: the real stack, deployed by the real
// CDK into the local AWS, with real keys and the real agent.
//
// Run them with scripts/test, or alone: go test ./scripts/aws/e2e. They need
// npm and Python; where one is missing they are skipped, and say so.
//
// What the local AWS does not enforce as AWS does (docs/decisions/local-aws.md)
// is proved here by `decide`, from the documents as they were deployed.
package e2e
