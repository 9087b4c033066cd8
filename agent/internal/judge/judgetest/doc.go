// Package judgetest makes policy sets and requests for the tests of the judging
// rooms: small alphabets, so that patterns and requests meet by chance, and
// requests built from a set's own patterns and their near neighbours.
//
//	set := judgetest.Set(judgetest.Rapid(t))
//	req := judgetest.Request(judgetest.Rapid(t), set) // decide.Request(req)
//
// Every element of IAM's grammar comes up. What comes up is valid: documents
// parse strictly, a request has the shape that its action wants, and no context
// says what can't be (an address beside a VPC endpoint, two clocks). It is no
// measure of what policies look like in the world.
package judgetest
