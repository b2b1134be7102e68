/** Every route of the API below /api/v1, listed once. */
import { type Routes } from './route.ts';

export const allRoutes: readonly Routes[] = [];
