package main
import ("context";"conclave/resp/command";"conclave/resp/commands")
type clusterRooms struct { router command.Router }
func (r *rooms) newCluster() (*clusterRooms, error) { return nil, nil }
func (c *clusterRooms) Run(context.Context) error {return nil}
func (c *clusterRooms) waitReady(context.Context, chan error) error {return nil}
func (c *clusterRooms) replication() commands.Replication {return commands.Replication{}}
func (c *clusterRooms) infoSections() []command.InfoSection {return nil}
func clusterFamilies(*rooms) [][]command.Spec {return nil}
