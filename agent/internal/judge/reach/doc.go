// Package reach answers what a set of policies lets one principal do: not for
// one request, but for all of them at once. A request is an action, a resource
// and a context; what ends in Allow is held as boxes, one set for each of these
// dimensions: automata for strings, classes of equal outcome for condition keys.
// "Can it read anything?" is then "is this set, cut with the reads, empty?".
//
//	e := reach.New(set, reach.Options{})
//	a := e.Find(reach.Question{Actions: reads, Resources: reach.Everything()})
//
// Nothing means proven: no request of the question is allowed. Found comes with
// a request that shows it. Unknown means neither, and says why.
//
// It does not promise to be complete: over budget, or where a product can't say what
// documents do, the answer is Unknown, never Nothing. It never calls decide.
package reach

// Read it in this order; what stands above calls what stands below:
//
//   - Questions and answers: reach.go, and how they are answered: engine.go, covers.go,
//     contains.go, granting.go, grants.go, find.go.
//   - IAM's evaluation as algebra: solve.go, witness.go (what an answer shows), cell.go (an
//     action on a class of resources), layers.go (which documents must allow), view.go (the set
//     under one of two readings).
//   - Condition values: cond.go, dim.go, pred.go, box.go; and texts of documents as sets
//     of strings: pattern.go, with what is known of a key: scope.go.
//   - What can be asked about: class_cache.go (the classes of resources of each action), others.go
//     (accounts), resource_class.go (what a class is, and whose policies answer for it), symbols.go,
//     members.go (who is named), tomorrow.go, actions.go.
//   - At the bottom: arn.go, keys.go (condition keys), line.go (numbers and dates), space.go (what
//     is kept), meter.go (the budget).
//     The algebra of sets of strings is a room of its own, strset.
//
// Words: a class of resources is all those that documents can't tell apart; a cell is an
// action on one of them; a grant path is one combination of layers that grants; may and must
// are the two readings of a statement that isn't exact; a doubt is why an answer is Unknown.
