/**
 * Grafana's own types of a dashboard (classic JSON model), as JSON has them. The test lets tsc check every file against
 * `GrafanaDashboard`, so that an option which Grafana does not know is an error and not silently without effect.
 */
import type { Dashboard, DataQuery, FieldConfig, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as stateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** JSON has no enums: the text of a member stands for it. */
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

/** Source: Grafana's pkg/promlib/models/query.go; the package has no types for it. */
interface PrometheusQuery extends DataQuery {
  expr: string;
  legendFormat?: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  range?: boolean;
  /** Least step, from which `$__rate_interval` is derived too. */
  interval?: string;
}

/** Grafana's types leave options open, and what is special to a panel's type; here they are those of that type. */
type PanelOf<Type extends string, Options, Custom> = Omit<
  Panel,
  'type' | 'options' | 'fieldConfig' | 'targets' | 'gridPos' | 'id'
> &
  Required<Pick<Panel, 'gridPos' | 'id'>> & {
    type: Type;
    options: Partial<Options>;
    fieldConfig: Omit<FieldConfigSource, 'defaults'> & {
      defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<Custom> };
    };
    targets: PrometheusQuery[];
  };

type GrafanaPanel =
  | PanelOf<'timeseries', timeSeries.Options, timeSeries.FieldConfig>
  | PanelOf<'stat', stat.Options, never>
  | PanelOf<'state-timeline', stateTimeline.Options, stateTimeline.FieldConfig>
  | PanelOf<'table', table.Options, table.FieldConfig>;

/** Rows stay open: their panels follow them, and `panels` is for what a closed one hides. */
type GrafanaRow = Omit<RowPanel, 'panels' | 'gridPos'> & Required<Pick<RowPanel, 'gridPos'>> & { panels: [] };

export type GrafanaDashboard = Json<
  Omit<Dashboard, 'panels'> &
    Required<Pick<Dashboard, 'uid' | 'title' | 'description' | 'templating'>> & {
      panels: (GrafanaPanel | GrafanaRow)[];
    }
>;
