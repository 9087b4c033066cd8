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
//   - Questions: engine.go, find.go, covers.go, contains.go, grants.go, granting.go,
//     and what an answer shows: witness.go. meter.go bounds them.
//   - IAM's evaluation as algebra: view.go (the set under one of two readings), cell.go
//     (an action on a kind of resource), layers.go (which documents must allow), solve.go.
//   - What can be asked about: class_cache.go (the classes of resources of each action),
//     resource_class.go (what a class is, and whose policies answer for it), arn.go, others.go,
//     actions.go, tomorrow.go, members.go (who is named), symbols.go.
//   - Condition values: cond.go, pred.go, dim.go, box.go, keys.go, line.go.
//   - Sets of strings: pattern.go makes them of what documents hold; the algebra is a
//     room of its own, strset.
//
// Words: a class of resources is all those that documents can't tell apart; a cell is an
// action on one of them; a grant path is one combination of layers that grants; may and must
// are the two readings of a statement that isn't exact; a doubt is why an answer is Unknown.
